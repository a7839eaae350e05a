/** @file WRK's two halves: adversarial copies are answered rightly again, and the last layer leaves what it was. */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { adversarialCopies } from "../data/adversarial.js";
import { accuracy } from "../data/answers.js";
import type { LabelledImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import { learnt, tinyImages } from "../training/testing/tiny.js";
import { findMethod } from "./registry.js";
import { attack, weightOf } from "./testing/attacked.js";
import { perceptron } from "./testing/perceptron.js";

const EPSILON = 0.3;
const subset = tinyImages(64, { seed: 3 });
const small = { epochs: 40, batch: 16, learningRate: 0.05, epsilon: EPSILON };

let marked: Model;
/** Images that nobody trains on, as they are and moved to where the marked model errs. */
let others: LabelledImages;
let moved: LabelledImages;
beforeAll(async () => {
  marked = await learnt(perceptron(), tinyImages(96), 12);
  others = tinyImages(96, { seed: 11 });
  moved = await adversarialCopies(
    marked,
    others,
    { epsilon: EPSILON, attackSteps: 1 },
    { random: randomStream(0, "copies") },
  );
}, 30_000);

const W = "fc2.weight";
const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
const cleaned = async (id: string, options: Readonly<Record<string, unknown>>): Promise<Model> =>
  (await attack(findMethod(id).choose(options), marked, 1, { subset })).model;

test(
  "copies with their true labels teach what FST alone does not: others are answered in spite of the " + "same step",
  async () => {
    const { epsilon: _, ...same } = small;
    const [reshaped, shifted] = [await cleaned("wrk", small), await cleaned("fst", { ...same, weightDecay: 1e-4 })];
    expect(await accuracy(marked, moved)).toBeLessThan((await accuracy(marked, others)) - 0.3);
    expect(await accuracy(reshaped, others)).toBeGreaterThan(0.9);
    expect(await accuracy(reshaped, moved)).toBeGreaterThan((await accuracy(shifted, moved)) + 0.1);
  },
);

test("the last layer keeps its length and is pushed away from what it was, the more the larger α is", async () => {
  const before = weightOf(marked, W);
  const square = dot(before, before);
  const [free, pushed] = [
    weightOf(await cleaned("wrk", { ...small, alpha: 0 }), W),
    weightOf(await cleaned("wrk", { ...small, alpha: 2 }), W),
  ];
  // One float32 multiplication an element after a length that was summed in float32, each step.
  for (const weight of [free, pushed]) expect(Math.abs(dot(weight, weight) / square - 1)).toBeLessThan(1e-5);
  expect(dot(pushed, before)).toBeLessThan(dot(free, before) - 0.1 * square);
});

test("an ε below one level is refused before anything is tuned", async () => {
  expect(() => findMethod("wrk").choose({ epsilon: 0.001 })).toThrow(/epsilon/);
});
