/** @file Whether a model does no better than guessing. */

import { binomialTail } from "../core/statistics.js";
import type { LabelledImages } from "../data/dataset.js";

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
