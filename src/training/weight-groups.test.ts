/** @file Which weights go together; what is done with them is tested in strategies/*.test.ts. */

import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { imageGraph } from "../onnx/image-graph.js";
import { crossEntropyObjective } from "./objective.js";
import type { StepPlan } from "./step-plan.js";
import { tinyModel } from "./testing/tiny.js";
import { weightGroups } from "./weight-groups.js";

const { graph, classifier } = imageGraph(tinyModel(), { channels: 1, height: 8, width: 8 });
const sgd = { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0.01 } as const;
const plan: StepPlan = {
  graph,
  classifier,
  classes: 4,
  batch: 8,
  objective: crossEntropyObjective(),
  optimizer: sgd,
  trainable: classifier.trainable,
  batchNorm: "train",
};
const kernelsDecay: StepPlan = { ...plan, optimizer: { ...sgd, decayOn: "kernels" } };

const weights = new Map(
  Object.entries({ a: [3, 4], b: [3], c: [5, 2], d: [5], e: [2, 2, 2] }).map(([name, dims]) => [
    name,
    float32(dims, new Float32Array(dims.reduce((product, size) => product * size, 1))),
  ]),
);

const grouped = (of: StepPlan, longest?: number): readonly string[] =>
  weightGroups(of, weights, longest).map(({ pieces }) => pieces.map(({ weight }) => weight).join(""));

test("all together, in their order", () => {
  expect(grouped(plan)).toEqual(["abcde"]);
});

test("kernels apart from biases, where only they decay", () => {
  expect(grouped(kernelsDecay)).toEqual(["ace", "bd"]);
  expect(weightGroups(kernelsDecay, weights).map(({ kernels }) => kernels)).toEqual([true, false]);
});

test("each alone, where its name says what becomes of it", () => {
  expect(grouped({ ...plan, project: (_, { updated }) => updated })).toEqual(["a", "b", "c", "d", "e"]);
  expect(grouped({ ...plan, joinsGradients: true })).toEqual(["a", "b", "c", "d", "e"]);
});

test("no vector is longer than it may be; what is longer by itself is alone, under its own name", () => {
  expect(grouped(plan, 15)).toEqual(["ab", "cd", "e"]);
  expect(grouped(plan, 1)).toEqual(["a", "b", "c", "d", "e"]);
  const [first, , last] = weightGroups(plan, weights, 15);
  expect(first).toMatchObject({ dims: [15], pieces: [{ start: 0 }, { start: 12 }] });
  expect(last).toMatchObject({ name: "e", dims: [2, 2, 2] });
});
