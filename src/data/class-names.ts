/** @file What the classes of the public data sets are called, in the order of their labels. */

/** As batches.meta.txt lists them. */
export const cifar10Names = "airplane automobile bird cat deer dog frog horse ship truck".split(" ");

/** As fine_label_names.txt lists them. */
export const cifar100Names = `
  apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
  caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
  forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
  mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
  possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
  sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
  willow_tree wolf woman worm`
  .trim()
  .split(/\s+/);

export const fashionMnistNames = [
  ...["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"],
  ...["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
];

export const kmnistNames = "o ki su tsu na ha ma ya re wo".split(" ");

export const digitNames = [..."0123456789"];

/** Both cases of a letter are one class. */
export const emnistLettersNames = [..."abcdefghijklmnopqrstuvwxyz"];

/** Lower-case letters that look like their capitals are one class with them. */
export const emnistBalancedNames = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"];

/** Names shown before the rest is counted. */
const SHOWN_NAMES = 20;

/**
 * Class names with their labels: `0 "cat", 1 "dog"`. They are strangers' text: quoted, without control characters.
 */
export function classesInWords(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).map((name, label) => `${label} ${JSON.stringify(name)}`);
  const more = names.length - shown.length;
  return more === 0 ? shown.join(", ") : `${shown.join(", ")} and ${more} more`;
}
