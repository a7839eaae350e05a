/**
 * @file Adversarial copies of labelled images: each moved within a small box around it to where the model errs most.
 *
 * One step along the sign of the gradient is FGSM (Goodfellow, Shlens, Szegedy, ICLR 2015), several with a return to
 * the box are PGD (Madry et al., ICLR 2018). Copies are 8-bit pictures like the images themselves, in the box to the
 * level.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { RandomStream } from "../core/random.js";
import type { Model } from "../onnx/model.js";
import { type TrainingOptions, throwIfAborted } from "../training/epochs.js";
import { compileGradient } from "../training/gradient.js";
import type { Objective } from "../training/objective.js";
import { freeImageGraph } from "../training/rows.js";
import { packImages } from "./batches.js";
import { imageSize, type LabelledImages } from "./dataset.js";
import { inMemory } from "./pixels.js";

/** Zod shape to spread into an options schema. */
export function adversarialShape(defaults: { readonly epsilon: number; readonly attackSteps: number }) {
  return {
    epsilon: z
      .number()
      .min(1 / 255)
      .max(1)
      .default(defaults.epsilon)
      .describe(
        "largest change of a pixel of an adversarial copy, pixels from 0 to 1; whole 8-bit levels, rounded down",
      ),
    attackSteps: z
      .int()
      .min(1)
      .max(10_000)
      .default(defaults.attackSteps)
      .describe("steps to an adversarial copy: 1 is FGSM, more are PGD"),
  };
}

export type AdversarialOptions = z.infer<z.ZodObject<ReturnType<typeof adversarialShape>>>;

/** Images that a run of the gradient sees at once. */
const BATCH = 64;

/** A step of PGD, as a multiple of ε / steps: enough to cross the box, and to turn back in it (Madry et al. 2018). */
const REACH = 2.5;

/**
 * Copies with the same labels, untargeted: the model's cross-entropy on the label rises. PGD starts at a random point
 * of the box, FGSM at the image.
 *
 * @param options.epsilon ε: no pixel differs by more, and all stay in [0, 1].
 * @throws WildmarkError `usage` for an ε below one 8-bit level, `unsupported-operator` where the model has an operator
 *   without a gradient, `interrupted` when the signal fires.
 */
export async function adversarialCopies(
  model: Model,
  images: LabelledImages,
  options: AdversarialOptions,
  run: Pick<TrainingOptions, "runtime" | "progress" | "signal"> & { readonly random: RandomStream },
): Promise<LabelledImages> {
  const { shape, classes, count } = images;
  const levels = Math.floor(255 * options.epsilon + 1e-9);
  if (levels < 1) throw new WildmarkError("usage", `epsilon is ${options.epsilon}; expected at least 1/255.`);
  const size = imageSize(shape);
  const batch = Math.min(BATCH, count);
  const { graph, classifier } = await freeImageGraph(model, shape, run.runtime);
  const by = [classifier.input.name];
  const plan = { graph, classifier, classes, batch, objective: marginObjective, batchNorm: "frozen", by } as const;
  const gradient = await compileGradient(plan, run.runtime);
  const bytes = new Uint8Array(count * size);
  const clean = new Float32Array(batch * size);
  try {
    for (let from = 0; from < count; from += batch) {
      throwIfAborted(run.signal);
      // The last batch is filled up with the first images; a row's gradient does not depend on those beside it.
      const indices = Array.from({ length: batch }, (_, row) => (from + row) % count);
      packImages(images, indices, clean);
      gradient.targets.fill(0);
      indices.forEach((index, row) => {
        gradient.targets[row * classes + (images.labels[index] ?? 0)] = 1;
      });
      const [epsilon, steps] = [levels / 255, options.attackSteps];
      const box =
        steps === 1
          ? { epsilon, steps, stepSize: epsilon }
          : { epsilon, steps, stepSize: (REACH * epsilon) / steps, random: run.random.stream(from) };
      await ascend(clean, gradient.images, box, async () => {
        const found = (await gradient.run()).gradients.get(classifier.input.name);
        return found?.data ?? new Float32Array(clean.length);
      });
      const rows = Math.min(batch, count - from) * size;
      for (let i = 0; i < rows; i++) bytes[from * size + i] = levelWithin(gradient.images[i], clean[i], levels);
      run.progress?.prepare?.("adversarial copies", Math.min(count, from + batch), count);
    }
  } finally {
    await gradient.release();
  }
  return { ...images, pixels: inMemory(bytes) };
}

export interface Ascent {
  /** No pixel moves farther than this, and all stay in [0, 1]. */
  readonly epsilon: number;
  readonly steps: number;
  /** How far a step moves each pixel. */
  readonly stepSize: number;
  /** Draws the start from the box; absent: the image is where it starts. */
  readonly random?: RandomStream;
}

/** Moves `moved` from `clean` up the gradient by its sign, within ε and [0, 1]. */
export async function ascend(
  clean: Float32Array,
  moved: Float32Array,
  { epsilon, steps, stepSize, random }: Ascent,
  gradientThere: () => Promise<Float32Array>,
): Promise<void> {
  const within = (value: number, original: number): number =>
    Math.max(0, original - epsilon, Math.min(1, original + epsilon, value));
  clean.forEach((value, i) => {
    moved[i] = random === undefined ? value : within(value + epsilon * (2 * random.uniform() - 1), value);
  });
  for (let step = 0; step < steps; step++) {
    const gradient = await gradientThere();
    clean.forEach((value, i) => {
      moved[i] = within((moved[i] ?? 0) + stepSize * Math.sign(gradient[i] ?? 0), value);
    });
  }
}

/** The nearest of 256 levels that is no more than `levels` away from the original's. */
function levelWithin(value = 0, original = 0, levels: number): number {
  const start = Math.round(255 * original);
  return Math.max(0, start - levels, Math.min(255, start + levels, Math.round(255 * value)));
}

/**
 * log Σ_{j≠y} exp z_j − z_y, mean over the rows. Cross-entropy is softplus of it, so that for each image both gradients
 * point the same way; this one does not vanish where the model is certain.
 */
export const marginObjective: Objective = {
  views: 1,
  build({ b, logits, targets }) {
    const others = b.op("Sub", [logits, b.op("Mul", [targets, b.scalar(FAR)])]);
    const rest = b.op("ReduceLogSumExp", [others, b.ints([-1])], { keepdims: 0 });
    const own = b.op("ReduceSum", [b.op("Mul", [logits, targets]), b.ints([-1])], { keepdims: 0 });
    return { loss: b.op("ReduceMean", [b.op("Sub", [rest, own])], { keepdims: 0 }) };
  },
};

/** Farther than scores lie apart. */
const FAR = 1e9;
