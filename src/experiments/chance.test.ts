/** @file What counts as guessing, and the preprocessing that would end it. */

import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import type { LabelledImages } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel } from "../onnx/model.js";
import { betterPreprocessing, chanceAccuracy, isAtChance } from "./chance.js";

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

test("a model for pixels of 0 to 255 answers one class on 0 to 1, and the range is suggested", async () => {
  const b = graphBuilder("raw");
  const flat = b.op("Flatten", [b.input("x", "float32", ["N", 1, 1, 2])], { axis: 1 });
  const weight = b.initializer("w", float32([2, 2], [0, 1, 0, 0]));
  b.output(b.op("Gemm", [flat, weight, b.initializer("b", float32([2], [100, 0]))]), "float32", ["N", 2]);
  const model = decodeModel(encodeGraph(b.build()), "raw");
  expect(await betterPreprocessing(model, images(100))).toEqual({ flags: "--range 0-255", accuracy: 1, images: 100 });
});
