/** @file The pieces of objectives against their formulas in double precision. */

import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { createSession } from "../runtime/session.js";
import { crossEntropyObjective, meanCrossEntropy, meanNegatedDot, rows, viewsCrossEntropy } from "./objective.js";

const logits = [
  [1, -2, 0.5],
  [0, 0, 0],
  [30, -30, 5],
  [-1, 4, 4],
];
const targets = [
  [1, 0, 0],
  [0.2, 0.3, 0.5],
  [0, 1, 0],
  [0, 0.5, 0.5],
];

async function computed(build: (b: GraphBuilder) => string): Promise<readonly number[]> {
  const b = graphBuilder("objective");
  b.input("logits", "float32", [logits.length, 3]);
  b.input("targets", "float32", [targets.length, 3]);
  b.output(build(b));
  const session = await createSession(b.build());
  const feeds = new Map([
    ["logits", float32([logits.length, 3], logits.flat())],
    ["targets", float32([targets.length, 3], targets.flat())],
  ]);
  const [found] = (await session.run(feeds)).values();
  await session.release();
  return Array.from(found?.data ?? [], Number);
}

const logSoftmax = (scores: readonly number[]): number[] => {
  const largest = Math.max(...scores);
  const logSum = largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
  return scores.map((score) => score - logSum);
};
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

test("cross-entropy is −mean Σ t log softmax, for hard and soft targets and scores far apart", async () => {
  const expected = mean(logits.map((row, i) => -dot(targets[i] ?? [], logSoftmax(row))));
  const [found] = await computed((b) => meanCrossEntropy(b, "logits", "targets"));
  // 60 nats in one row: float32 rounds to 4e-6 there.
  expect(found).toBeCloseTo(expected, 4);
});

test("the ordinary objective of a classifier is that, over one view", async () => {
  const objective = crossEntropyObjective();
  expect(objective.views).toBe(1);
  const context = { batch: 4, images: "none", logits: "logits", features: "none", targets: "targets" };
  const [found] = await computed((b) => objective.build({ b, ...context }).loss);
  expect([found]).toEqual(await computed((b) => meanCrossEntropy(b, "logits", "targets")));
});

test("over views of the same images it is the mean of theirs", async () => {
  const [first, second] = [logits.slice(0, 2), logits.slice(2)];
  const of = (scores: readonly (readonly number[])[]): number =>
    mean(scores.map((row, i) => -dot(targets[i] ?? [], logSoftmax(row))));
  const context = { batch: 2, images: "none", logits: "logits", features: "none" };
  const [found] = await computed((b) => viewsCrossEntropy({ b, ...context, targets: rows(b, "targets", 0, 2) }, 2));
  // 30 nats in one row: float32 rounds to 2e-6 there.
  expect(found).toBeCloseTo((of(first) + of(second)) / 2, 4);
});

test("smoothed labels are cross-entropy against (1 − s)·t + s/K", async () => {
  const context = { batch: 4, images: "none", logits: "logits", features: "none", targets: "targets" };
  const [found] = await computed((b) => crossEntropyObjective(0.1).build({ b, ...context }).loss);
  const smoothed = targets.map((row) => row.map((target) => 0.9 * target + 0.1 / row.length));
  // To four digits for the row of 60 nats, as above.
  expect(found).toBeCloseTo(mean(logits.map((row, i) => -dot(smoothed[i] ?? [], logSoftmax(row)))), 4);
});

test("a negated dot product is a mean over rows", async () => {
  const [found] = await computed((b) => meanNegatedDot(b, "targets", "logits"));
  expect(found).toBeCloseTo(mean(logits.map((row, i) => -dot(targets[i] ?? [], row))), 5);
});

test("rows cuts one view out of a stacked batch", async () => {
  expect(await computed((b) => rows(b, "logits", 1, 3))).toEqual([0, 0, 0, 30, -30, 5]);
});
