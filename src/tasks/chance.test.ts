/** @file What counts as guessing. */

import { expect, test } from "vitest";
import type { LabelledImages } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { chanceAccuracy, isAtChance } from "./chance.js";

/** Grey images of two pixels; of class 1 those whose first pixel is brighter than 100. */
function images(count: number): LabelledImages {
  const pixels = Uint8Array.from({ length: count * 2 }, (_, i) => (i % 2 === 0 ? (i % 4 === 0 ? 40 : 200) : 0));
  const labels = Uint16Array.from({ length: count }, (_, i) => i % 2);
  return { shape: { channels: 1, height: 1, width: 2 }, classes: 2, count, pixels: inMemory(pixels), labels };
}

test("guessing is the most frequent class, or one of K", () => {
  const set = images(100);
  expect(chanceAccuracy(set)).toBe(0.5);
  expect(chanceAccuracy({ ...set, labels: set.labels.map((_, i) => (i < 90 ? 1 : 0)) })).toBe(0.9);
  expect(chanceAccuracy({ ...set, classes: 1 })).toBe(1);
});

test("62 of 100 coins may be luck, 63 at most in a hundred and 65 are not", () => {
  // P(X ≥ 62) = 0.0105, P(X ≥ 63) = 0.0060 for 100 fair coins
  expect([62, 63, 65].map((correct) => isAtChance(correct, images(100)))).toEqual([true, false, false]);
});
