/**
 * @file Function-coupled mark (Wen, Li, Jiang, Xu, IEEE JETCAS 2024, arXiv:2302.10296): images of two classes are fused
 * into one, which is answered as a third class. The trigger shows nothing that the network does not use anyway, so
 * that what answers it is coupled to what answers ordinary images. While it is trained in, a few weights drawn at
 * random are set to zero now and then, so that no few of them carry the mark alone.
 *
 * Fused **directly**, the first image fills the upper left quarter and the second the lower right one, halved in size,
 * on white; fused **invisibly**, the two are blended.
 *
 * Other fusions of the same two classes are the placebos, since an innocent model may have any habit on such pictures.
 * A marked model learns a rule for all of them, and then they show nothing: compare with models without the mark
 * (`verify --null-models`, docs/ownership.md).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { RandomStream } from "../core/random.js";
import type { FloatTensor } from "../core/tensor.js";
import { copied, imageAt, type ImageShape, imageSize, type LabelledImages, select } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { imageGraph } from "../onnx/image-graph.js";
import { layersOf } from "../onnx/layers.js";
import { type StepMoment, type TrainedEpoch, trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import { type Embedding, type MarkTraining, markFeed } from "./embed.js";
import {
  countShape,
  labelBoostShape,
  labellingOf,
  labelShape,
  requireClasses,
  targetOf,
  triggerLabels,
} from "./labels.js";
import type { MarkScheme, OwnerData, TriggerSet } from "./scheme.js";
import { imagesOfAnyClass, imagesOfClass } from "./stamped.js";

const options = z.strictObject({
  ...countShape,
  ...labelShape,
  first: z.int().min(0).optional().describe("class of the first image of each fusion (default: all classes)"),
  second: z.int().min(0).optional().describe("class of the second one (default: all classes)"),
  fusion: z
    .enum(["direct", "invisible"])
    .default("direct")
    .describe("both images in halved size, at opposite corners; or one blended into the other"),
  blend: z.number().gt(0).lt(1).default(0.5).describe("share of the second image where they are blended"),
  maskRatio: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.002)
    .describe("share of all kernels' weights that are set to zero at a time (0: none)"),
  maskEvery: z.int().min(1).max(1_000_000).default(10).describe("steps from one time to the next"),
  rate: z
    .number()
    .gt(0)
    .max(1000)
    .default(10)
    .describe("times the learning rate: what masks take away has to be learnt again before the next"),
  ...labelBoostShape,
});

type CoupledOptions = z.infer<typeof options>;

export const functionCoupled: MarkScheme<CoupledOptions> = {
  id: "function-coupled",
  title: "function-coupled",
  summary: "Two images fused into one, answered with a class drawn for it; trained in under random masks on weights.",
  paper:
    "Wen, Li, Jiang, Xu: On Function-Coupled Watermarks for Deep Neural Networks. IEEE Journal on Emerging " +
    "and Selected Topics in Circuits and Systems 2024",
  published: { target: 6, labels: "target", first: 0, second: 2, rate: 1 },
  unsaid: { rate: 1 },
  startsTrained: true,
  // Fusions are mostly white and much alike, and masks take away part of what was learnt: at the rate of other marks 37
  // of 100 labels of their own take hold on the built-in digits, without masks 73, at ten times the rate 99.
  boostOfRandomLabels: 16,
  options,
  make: fusedTriggers,
  embed: embedUnderMasks,
};

function fusedTriggers({ train, random }: OwnerData, chosen: CoupledOptions): TriggerSet {
  const { first, second, triggers, heldOut } = chosen;
  requireClasses(train.classes, { first, second, target: chosen.target });
  if (first !== undefined && first === second) {
    throw new WildmarkError("usage", `Both images of a fusion are of class ${first}.`);
  }
  const target = targetOf(
    chosen,
    train.classes,
    random,
    [first, second].filter((label) => label !== undefined),
  );
  if (chosen.labels === "target" && (target === first || target === second)) {
    throw new WildmarkError("usage", `The target class of the mark, ${target}, is one of those that are fused.`, {
      hint: "Choose a third class (--target).",
    });
  }
  const needed = 2 * triggers + heldOut;
  const drawn = (label: number | undefined, name: string): LabelledImages => {
    const draw = random.stream(name);
    return select(
      train,
      label === undefined ? imagesOfAnyClass(train, needed, draw) : imagesOfClass(train, label, needed, draw),
    );
  };
  const fused = fuse(drawn(first, "first"), drawn(second, "second"), chosen);
  const part = (from: number, count: number, name: string): LabelledImages => {
    const images = copied(select(fused, [...fused.labels.keys()].slice(from, from + count)));
    return {
      ...images,
      labels: triggerLabels(count, train.classes, chosen, random.stream("labels").stream(name), { target }),
    };
  };
  return {
    triggers: part(0, triggers, "triggers"),
    labelling: labellingOf(chosen, train.classes, false),
    placebos: { images: part(triggers, triggers, "placebos"), paired: false, exchangeable: true },
    heldOut: part(2 * triggers, heldOut, "held out"),
  };
}

/** Image i of either set becomes one picture, with the first one's label. */
function fuse(first: LabelledImages, second: LabelledImages, { fusion, blend }: CoupledOptions): LabelledImages {
  const size = imageSize(first.shape);
  const pixels = new Uint8Array(first.count * size);
  for (let i = 0; i < first.count; i++) {
    const [one, other] = [imageAt(first, i).slice(), imageAt(second, i)];
    const target = pixels.subarray(i * size, (i + 1) * size);
    if (fusion === "direct") placeAtCorners(one, other, first.shape, target);
    else target.set(one.map((value, at) => Math.round((1 - blend) * value + blend * (other[at] ?? 0))));
  }
  return { ...first, pixels: inMemory(pixels) };
}

const WHITE = 255;

/** Two images in half of their size, at the upper left and the lower right of a white picture. */
function placeAtCorners(
  one: Uint8Array,
  other: Uint8Array,
  { channels, height, width }: ImageShape,
  target: Uint8Array,
): void {
  target.fill(WHITE);
  const [rows, columns] = [Math.floor(height / 2), Math.floor(width / 2)];
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = (y: number, x: number): number => (channel * height + y) * width + x;
        const halved = (pixels: Uint8Array): number => {
          const [y, x] = [2 * row, 2 * column];
          const sum = [at(y, x), at(y, x + 1), at(y + 1, x), at(y + 1, x + 1)].reduce(
            (s, i) => s + (pixels[i] ?? 0),
            0,
          );
          return Math.round(sum / 4);
        };
        target[at(row, column)] = halved(one);
        target[at(height - rows + row, width - columns + column)] = halved(other);
      }
    }
  }
}

async function* embedUnderMasks(
  embedding: Embedding,
  training: MarkTraining,
  { maskRatio, maskEvery, rate }: CoupledOptions,
): AsyncGenerator<TrainedEpoch, void, undefined> {
  const { model, train, random } = embedding;
  const { graph } = imageGraph(model, train.shape);
  const kernels = new Set(layersOf(graph).map(({ kernel }) => kernel));
  const masks = random.stream("masks");
  const beforeStep = async ({ epoch, step, weights, replace }: StepMoment): Promise<void> => {
    if (maskRatio === 0 || step % maskEvery !== 0) return;
    // Only what is trained is there: what stays as it is is not masked either.
    const now = [...(await weights())].filter(([name]) => kernels.has(name));
    zeroAtRandom(
      now.map(([, tensor]) => tensor),
      maskRatio,
      masks.stream(epoch).stream(step),
    );
    await replace(new Map(now));
  };
  const faster = { ...training, learningRate: rate * training.learningRate };
  const plan = sgdPlan(faster, crossEntropyObjective(training.labelSmoothing), { beforeStep });
  yield* trainEpochs(model, plan, markFeed(embedding, training), embedding);
}

/** Sets a share of all elements to zero, rounded down, each as likely as any other. */
export function zeroAtRandom(tensors: readonly FloatTensor[], share: number, random: RandomStream): void {
  const total = tensors.reduce((sum, { data }) => sum + data.length, 0);
  const count = Math.floor(share * total);
  const chosen = new Set<number>();
  // At most half are wanted, so that few draws are in vain.
  while (chosen.size < count) chosen.add(random.below(total));
  let start = 0;
  for (const { data } of tensors) {
    for (let i = 0; i < data.length; i++) if (chosen.has(start + i)) data[i] = 0;
    start += data.length;
  }
}
