/** @file Gradients by images and weights agree with central differences of the objective itself. */

import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { copyPixels } from "../data/dataset.js";
import { canonicalGraph } from "../onnx/canonical.js";
import { findClassifier } from "../onnx/classifier.js";
import { type CompiledGradient, compileGradient, type GradientPlan } from "./gradient.js";
import { crossEntropyObjective } from "./objective.js";
import { tinyImages, tinyModel } from "./testing/tiny.js";

const BATCH = 4;
const graph = canonicalGraph(tinyModel().graph);
const classifier = findClassifier(graph);
const plan: GradientPlan = {
  graph,
  classifier,
  classes: 4,
  batch: BATCH,
  objective: crossEntropyObjective(),
  batchNorm: "frozen",
  by: ["image", "fc2.weight"],
  variable: ["fc2.weight"],
};

async function filled(): Promise<CompiledGradient> {
  const gradient = await compileGradient(plan);
  const images = tinyImages(BATCH);
  gradient.images.set(Float32Array.from(copyPixels(images), (pixel) => pixel / 255));
  images.labels.forEach((label, row) => {
    gradient.targets[row * 4 + label] = 1;
  });
  return gradient;
}

/** The largest entry, where a difference says most. */
const steepest = (values: Float32Array): number =>
  values.reduce((most, value, i) => (Math.abs(value) > Math.abs(values[most] ?? 0) ? i : most), 0);

// As in step.test.ts: float32 losses over 2e-3 are good to 1e-4, and a wrong sign or factor is off by far more than 5
// %.
const H = 1e-3;

test("by the images", async () => {
  const gradient = await filled();
  const found = (await gradient.run()).gradients.get("image");
  expect(found?.dims).toEqual([BATCH, 1, 8, 8]);
  const i = steepest(found?.data ?? new Float32Array(0));
  const before = gradient.images[i] ?? 0;
  const lossAt = async (value: number): Promise<number> => {
    gradient.images[i] = value;
    return (await gradient.run()).loss;
  };
  const slope = ((await lossAt(before + H)) - (await lossAt(before - H))) / (2 * H);
  expect(Math.abs(slope)).toBeGreaterThan(1e-3);
  expect(Math.abs(slope - (found?.data[i] ?? 0))).toBeLessThan(0.05 * Math.abs(slope));
  await gradient.release();
});

test("by a weight, where the weight is what it was set to", async () => {
  const gradient = await filled();
  const stored = graph.initializers.get("fc2.weight");
  const start = stored?.type === "float32" ? stored : float32([0], []);
  const moved = start.data.map((value) => 1.5 * value);
  gradient.set("fc2.weight", float32(start.dims, moved));
  const found = (await gradient.run()).gradients.get("fc2.weight");
  expect(found?.dims).toEqual(start.dims);
  const i = steepest(found?.data ?? new Float32Array(0));
  const before = moved[i] ?? 0;
  const lossAt = async (value: number): Promise<number> => {
    moved[i] = value;
    return (await gradient.run()).loss;
  };
  const slope = ((await lossAt(before + H)) - (await lossAt(before - H))) / (2 * H);
  expect(Math.abs(slope - (found?.data[i] ?? 0))).toBeLessThan(0.05 * Math.abs(slope));
  expect(() => gradient.set("fc1.weight", start)).toThrow(/fc1.weight/);
  await gradient.release();
});

test("an objective that does not depend on a value is refused", async () => {
  const constant = { views: 1, build: ({ b }: { b: { scalar(value: number): string } }) => ({ loss: b.scalar(1) }) };
  await expect(compileGradient({ ...plan, objective: constant })).rejects.toMatchObject({ code: "bad-model" });
});
