/**
 * @file A search moves what is sought as Adam does in a training step, starts anew without memory, and tells what it is
 * asked.
 */

import { expect, test } from "vitest";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { copyPixels } from "../data/dataset.js";
import { canonicalGraph } from "../onnx/canonical.js";
import { findClassifier } from "../onnx/classifier.js";
import { meanCrossEntropy, type Objective } from "./objective.js";
import { compileSearch, type Search } from "./search.js";
import { compileStep } from "./step.js";
import { tinyImages, tinyModel } from "./testing/tiny.js";

const graph = canonicalGraph(tinyModel().graph);
const names = ["fc1.weight", "fc2.bias"];
/** Cross-entropy that tells the sum of a bias beside. */
const objective: Objective = {
  views: 1,
  build: ({ b, logits, targets }) => {
    const loss = meanCrossEntropy(b, logits, targets);
    const total = b.op("ReduceSum", ["conv.bias"], { keepdims: 0 });
    return { loss, watch: { total, twice: b.op("Add", [total, total]) } };
  },
};
const plan = {
  graph,
  classifier: findClassifier(graph),
  classes: 4,
  batch: 4,
  objective,
  batchNorm: "frozen",
  betas: [0.5, 0.9],
} as const;

const stored = (name: string): FloatTensor => {
  const tensor = graph.initializers.get(name);
  if (tensor?.type !== "float32") throw new Error(name);
  return tensor;
};
const starts = new Map(names.map((name) => [name, stored(name)]));

function fill(fed: Pick<Search, "images" | "targets">): void {
  const images = tinyImages(4);
  fed.images.set(Float32Array.from(copyPixels(images), (pixel) => pixel / 255));
  images.labels.forEach((label, row) => {
    fed.targets[row * 4 + label] = 1;
  });
}

const largestGap = (a: FloatTensor, b: FloatTensor | undefined): number =>
  a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - (b?.data[i] ?? Number.NaN))), 0);

test("three steps are those of a training step with Adam, twice over after a new start", async () => {
  const step = await compileStep({
    ...plan,
    trainable: names,
    optimizer: { kind: "adam", beta1: 0.5, beta2: 0.9, epsilon: 1e-8, weightDecay: 0 },
  });
  fill(step);
  const losses: number[] = [];
  for (const rate of [0.1, 0.05, 0.02]) losses.push(await step.run(rate));
  const expected = await step.weights();
  await step.release();

  const search = await compileSearch({ ...plan, by: names });
  fill(search);
  for (const _ of [1, 2]) {
    search.start(starts);
    const found: number[] = [];
    for (const rate of [0.1, 0.05, 0.02]) found.push((await search.step(rate)).loss);
    // The same formulas, in float32 there and rounded to it here after float64: a few units in the last place.
    found.forEach((loss, i) => {
      expect(loss).toBeCloseTo(losses[i] ?? Number.NaN, 5);
    });
    for (const name of names) {
      expect(largestGap(search.value(name), expected.get(name))).toBeLessThan(1e-5);
      expect(largestGap(search.value(name), stored(name))).toBeGreaterThan(0.05);
    }
  }
  await search.release();
  expect(starts.get("fc2.bias")?.data).toEqual(stored("fc2.bias").data);
});

test(
  "what the objective watches is told for the values of that run; others than the variable ones " + "are refused",
  async () => {
    const search = await compileSearch({ ...plan, by: names, variable: ["conv.bias"] });
    fill(search);
    await expect(search.step(0.1)).rejects.toThrow(/fc1.weight/);
    expect(() => search.start(new Map([["fc1.weight", stored("fc1.weight")]]))).toThrow(/fc2.bias/);
    search.start(starts);
    search.set("conv.bias", float32([4], [1, 2, 3, 4]));
    const { watched } = await search.step(0.1);
    expect([...watched]).toEqual([
      ["total", 10],
      ["twice", 20],
    ]);
    expect(() => search.set("conv.weight", stored("conv.weight"))).toThrow(/conv.weight/);
    await search.release();
  },
);
