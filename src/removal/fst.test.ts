/** @file FST does to the last layer what its paper says: away from what it was, at the length that it had. */

import { beforeAll, expect, test } from "vitest";
import type { Model } from "../onnx/model.js";
import { findMethod } from "./registry.js";
import { attack, trainedTinyModel, weightOf } from "./testing/attacked.js";

let marked: Model;
beforeAll(async () => {
  marked = await trainedTinyModel();
});

/** The last layer's weight. */
const W = "fc2.weight";
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
const norm = (values: Float32Array): number => Math.sqrt(dot(values, values));

/** W after each epoch. */
async function course(options: Readonly<Record<string, unknown>>): Promise<Float32Array[]> {
  const method = findMethod("fst").choose({ epochs: 6, batch: 8, learningRate: 0.02, ...options });
  return (await attack(method, marked, 1)).models.map((model) => weightOf(model, W));
}

test("W keeps the length of W₀ after every step, whatever α is", async () => {
  const length = norm(weightOf(marked, W));
  for (const alpha of [0, 0.2]) {
    // One float32 multiplication an element after a length that was summed in float32.
    for (const weight of await course({ alpha })) expect(Math.abs(norm(weight) / length - 1)).toBeLessThan(1e-5);
  }
});

test("⟨W, W₀⟩ ends lower the larger α is, and falls from epoch to epoch where α outweighs the labels", async () => {
  const before = weightOf(marked, W);
  const products = async (alpha: number): Promise<number[]> =>
    (await course({ alpha })).map((weight) => dot(weight, before));
  const [free, pushed, hard] = [await products(0), await products(0.2), await products(2)];
  expect(pushed.at(-1)).toBeLessThan((free.at(-1) ?? 0) - 0.05 * norm(before) ** 2);
  expect(hard.at(-1)).toBeLessThan((pushed.at(-1) ?? 0) - 0.05 * norm(before) ** 2);
  expect(hard.toSorted((a, b) => b - a)).toEqual(hard);
});

test("starts from a last layer drawn anew: a rate of next to nothing leaves nothing of W₀ in it", async () => {
  const [weight = new Float32Array(0)] = await course({ epochs: 1, learningRate: 1e-9 });
  const before = weightOf(marked, W);
  // Two directions drawn apart from each other in 48 dimensions: |cosine| is about 1/√48.
  expect(Math.abs(dot(weight, before)) / norm(before) ** 2).toBeLessThan(0.5);
});
