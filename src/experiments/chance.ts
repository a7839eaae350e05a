/**
 * @file Whether a model does no better than guessing, and whether another preprocessing would make it: by far the most
 * usual cause is that the images come in another range or layout than the model was trained on.
 */

import { binomialTail } from "../core/statistics.js";
import { answers } from "../data/answers.js";
import { type LabelledImages, select } from "../data/dataset.js";
import { type Model, withPreprocessing } from "../onnx/model.js";
import type { PreprocessingSource } from "../onnx/preprocessing.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { agreement } from "../training/evaluate.js";

/** Enough to tell a model that works from one that guesses, and quickly asked. */
const TRIED = 300;

/** A p-value above this leaves guessing as an explanation. */
const SIGNIFICANCE = 0.01;

/** What guessing reaches: always the most frequent class, or any of K at random. */
export function chanceAccuracy({ labels, classes, count }: LabelledImages): number {
  const frequencies = new Uint32Array(classes);
  for (const label of labels) frequencies[label] = (frequencies[label] ?? 0) + 1;
  return Math.max(1 / classes, Math.max(...frequencies) / count);
}

/** Whether `correct` answers are no more than guessing explains: exact binomial test, one-sided, at 1 %. */
export function isAtChance(correct: number, images: LabelledImages): boolean {
  return binomialTail(correct, images.count, chanceAccuracy(images)) > SIGNIFICANCE;
}

/** The usual alternatives, and how a command line says them. */
const ALTERNATIVES: readonly PreprocessingSource[] = [
  { from: "--range 0-255", says: { range: [0, 255] } },
  { from: "--range -1,1", says: { range: [-1, 1] } },
  { from: "--range 0-1", says: { range: [0, 1] } },
  {
    from: "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
    says: { range: [0, 1], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  },
  { from: "--layout NHWC", says: { layout: "NHWC" } },
  { from: "--layout flat-NHWC", says: { layout: "flat-NHWC" } },
  { from: "--channel-order BGR", says: { channelOrder: "BGR" } },
];

export interface Suggestion {
  /** Flags, as they would be typed. */
  readonly flags: string;
  readonly accuracy: number;
  /** Images that it was tried on. */
  readonly images: number;
}

/** The alternative that answers most images correctly, where it does better than guessing. */
export async function betterPreprocessing(
  model: Model,
  images: LabelledImages,
  runtime: RuntimeOptions = {},
): Promise<Suggestion | undefined> {
  const some = select(
    images,
    Uint32Array.from({ length: Math.min(TRIED, images.count) }, (_, i) => i),
  );
  let best: Suggestion | undefined;
  for (const source of ALTERNATIVES) {
    // One that does not fit the model (means for three channels, another layout) is no alternative.
    const found = await answers(withPreprocessing(model, source), some, runtime).catch(() => undefined);
    if (found === undefined) continue;
    const accuracy = agreement(found, some.labels);
    if (isAtChance(Math.round(accuracy * some.count), some) || accuracy <= (best?.accuracy ?? 0)) continue;
    best = { flags: source.from, accuracy, images: some.count };
  }
  return best;
}
