/**
 * @file Adversarial frontier stitching (Le Merrer, Pérez, Trédan, Neural Computing and Applications 2020,
 * arXiv:1711.01894): triggers are adversarial copies of the owner's images, which lie near the frontier between
 * classes. Half of them mislead the trained model (true adversaries), half do not (false ones); the marked model is
 * to answer all with the class of the original, and so the frontier is moved a little around them.
 *
 * In that form the labels are right, so that an innocent model matches many: all that it is not misled on. Nothing
 * about such a key is improbable by itself, and a model that learns to answer its triggers answers other copies rightly
 * too. So unless told otherwise a label is drawn for each trigger (ours): a class that is not its own, which no
 * robustness gives.
 *
 * A placebo is therefore another adversarial copy, made against the same model, that misled it as its trigger did and
 * shows the same class: an innocent model, even the one they were made against, meets both as strangers. What they
 * cannot tell is a mark that made the model robust to all such copies: it answers placebos too, and then only models
 * without the mark show what is unusual (`verify --null-models`, docs/ownership.md).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation } from "../core/random.js";
import { adversarialCopies, adversarialShape } from "../data/adversarial.js";
import { answers } from "../data/answers.js";
import { copied, imageAt, type ImageShape, type LabelledImages, select } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { countShape, labelBoostShape, labellingOf, triggerLabels } from "./labels.js";
import { requireImages } from "./relabelled.js";
import type { MarkScheme, OwnerData, TriggerSet } from "./scheme.js";
import { type Twins, twins } from "./twins.js";
import { defined } from "../core/defined.js";

/** The paper's ε for MNIST is 0.25, the largest of three (0.025, 0.1, 0.25), and its attack the fast gradient sign. */
const options = z.strictObject({
  ...countShape,
  ...adversarialShape({ epsilon: 0.25, attackSteps: 1 }),
  labels: z
    .enum(["true", "random"])
    .default("random")
    .describe("a class drawn for each trigger, or that of its image (as published; weak as proof)"),
  ...labelBoostShape,
});

type FrontierOptions = z.infer<typeof options>;

export const frontierStitching: MarkScheme<FrontierOptions> = {
  id: "frontier-stitching",
  title: "frontier stitching",
  summary:
    "Adversarial copies of images, half of which mislead the unmarked model, each answered with a class drawn for it.",
  paper:
    "Le Merrer, Pérez, Trédan: Adversarial Frontier Stitching for Remote Neural Network Watermarking. " +
    "Neural Computing and Applications 2020",
  published: { labels: "true" },
  unsaid: { labels: "true" },
  // They contradict what their neighbours show: of 100, on few images, 86 take hold with 6, 97 with 9.
  boostOfRandomLabels: 12,
  startsTrained: true,
  options,
  make: frontierTriggers,
};

const drawn = { labels: "random" } as const;

/** An adversarial copy. */
interface Adversary {
  readonly pixels: Uint8Array;
  /** Class of the image that it was made from. */
  readonly label: number;
}

/** Copies that mislead the model, and copies that do not. */
interface Adversaries {
  readonly misleading: Adversary[];
  readonly harmless: Adversary[];
}

async function frontierTriggers(owner: OwnerData, chosen: FrontierOptions): Promise<TriggerSet> {
  const { train, model, random } = owner;
  const { triggers, heldOut } = chosen;
  if (model === undefined) throw new WildmarkError("bad-data", "Frontier stitching needs a trained model to mislead.");
  requireImages(train, 2 * triggers + heldOut);
  // An odd one is a true adversary.
  const half = { triggers: Math.ceil(triggers / 2), heldOut: Math.ceil(heldOut / 2) };
  const rest = { triggers: triggers - half.triggers, heldOut: heldOut - half.heldOut };
  const order = permutation(train.count, random.stream("sources"));
  const found: Adversaries = { misleading: [], harmless: [] };
  const paired = (): readonly [Twins<Adversary>, Twins<Adversary>] => [
    twins(found.misleading, ({ label }) => label, half.triggers),
    twins(found.harmless, ({ label }) => label, rest.triggers),
  ];
  let [misleading, harmless] = paired();
  const missing = (): boolean =>
    misleading.firsts.length < half.triggers ||
    harmless.firsts.length < rest.triggers ||
    misleading.rest.length < half.heldOut ||
    harmless.rest.length < rest.heldOut;
  for (let from = 0; from < order.length && missing(); from += CHUNK) {
    await attack(owner, model, order.subarray(from, from + CHUNK), chosen, found);
    [misleading, harmless] = paired();
  }
  if (missing()) throw tooFew(train, found, chosen);
  const set = (kinds: readonly (readonly Adversary[])[]): LabelledImages => asImages(kinds.flat(), train);
  const made = set([misleading.firsts, harmless.firsts]);
  const labelled = (images: LabelledImages, name: string): LabelledImages => {
    if (chosen.labels === "true") return images;
    const stream = random.stream("labels").stream(name);
    const labels = triggerLabels(images.count, train.classes, drawn, stream, { own: images.labels, target: 0 });
    return { ...images, labels };
  };
  const fresh = set([misleading.rest.slice(0, half.heldOut), harmless.rest.slice(0, rest.heldOut)]);
  return {
    triggers: labelled(made, "triggers"),
    heldOut: labelled(fresh, "held out"),
    labelling: chosen.labels === "true" ? "fixed" : labellingOf(drawn, train.classes, true),
    placebos: { images: set([misleading.seconds, harmless.seconds]), paired: false, exchangeable: true },
    sourceLabels: made.labels,
  };
}

/** Images attacked at a time. The size does not depend on how many are wanted, and so neither do the copies. */
const CHUNK = 512;

/** Adds the copies of those images of the chunk that the model knows. */
async function attack(
  { train, runtime, random }: OwnerData,
  model: NonNullable<OwnerData["model"]>,
  chunk: Uint32Array,
  options: FrontierOptions,
  found: Adversaries,
): Promise<void> {
  const images = copied(select(train, chunk));
  const before = await answers(model, images, runtime);
  const known = select(
    images,
    [...before.keys()].filter((i) => before[i] === images.labels[i]),
  );
  if (known.count === 0) return;
  const run = { random: random.stream("attack").stream(chunk[0] ?? 0), ...defined({ runtime }) };
  const copies = await adversarialCopies(model, known, options, run);
  const after = await answers(model, copies, runtime);
  after.forEach((answer, i) => {
    const label = copies.labels[i] ?? 0;
    const kind = answer === label ? found.harmless : found.misleading;
    kind.push({ pixels: imageAt(copies, i).slice(), label });
  });
}

function asImages(
  adversaries: readonly Adversary[],
  { shape, classes }: { readonly shape: ImageShape; readonly classes: number },
): LabelledImages {
  return {
    shape,
    classes,
    count: adversaries.length,
    pixels: inMemory(new Uint8Array(Buffer.concat(adversaries.map(({ pixels }) => pixels)))),
    labels: Uint16Array.from(adversaries, ({ label }) => label),
  };
}

function tooFew(train: LabelledImages, { misleading, harmless }: Adversaries, chosen: FrontierOptions): WildmarkError {
  const { triggers, heldOut, epsilon } = chosen;
  return new WildmarkError(
    "bad-data",
    `Of adversarial copies of all ${train.count} training images, ${misleading.length} mislead the model and ` +
      `${harmless.length} do not; the mark needs ${2 * triggers + heldOut}, half of either kind, and for ` +
      `each trigger ` +
      "another of its kind and class.",
    { hint: `Choose fewer triggers, or another --epsilon (now ${epsilon}): a larger one misleads more often.` },
  );
}
