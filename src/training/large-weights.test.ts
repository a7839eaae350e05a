/** @file Weights that are written over where they lie follow the same formula as those that are not. */

import { afterAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { dense, type LayerContext, relu } from "../models/layers.js";
import { graphBuilder } from "../onnx/builder.js";
import { findClassifier } from "../onnx/classifier.js";
import type { Graph } from "../onnx/graph.js";
import { compileGradient } from "./gradient.js";
import { crossEntropyObjective } from "./objective.js";
import type { Optimizer } from "./optimizer.js";
import { compileStep } from "./step.js";
import type { StepPlan } from "./step-plan.js";

const BATCH = 16;
const CLASSES = 4;
const WIDTH = 512;
const STEPS = 3;
const RATE = 0.5;
const optimizer = { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0.01 } as const satisfies Optimizer;

/** Three hidden layers of 512, of which two have a megabyte of weights. */
function wideGraph(): Graph {
  const b = graphBuilder("wide");
  const context: LayerContext = { b, random: randomStream(0, "init"), init: "he" };
  let x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 8, 8])], { axis: 1 });
  x = relu(context, dense(context, "fc1", x, 64, WIDTH));
  for (const name of ["fc2", "fc3"]) x = relu(context, dense(context, name, x, WIDTH, WIDTH));
  b.output(dense(context, "fc4", x, WIDTH, CLASSES), "float32", ["batch", CLASSES]);
  return b.build();
}

const random = randomStream(1, "batch");
const images = Float32Array.from({ length: BATCH * 64 }, () => random.uniform());
const targets = Float32Array.from({ length: BATCH * CLASSES }, (_, i) =>
  i % CLASSES === Math.floor(i / CLASSES) % CLASSES ? 1 : 0,
);

const graph = wideGraph();
const classifier = findClassifier(graph);
const plan: StepPlan = {
  ...{ graph, classifier, classes: CLASSES, batch: BATCH, optimizer },
  objective: crossEntropyObjective(),
  trainable: classifier.trainable,
  batchNorm: "train",
};

const open: { release(): Promise<void> }[] = [];
afterAll(() => Promise.all(open.map((one) => one.release())));

/** Three steps of v ← 0.9 v + (g + 0.01 w), w ← w − rate · v, in plain loops over gradients from ONNX Runtime. */
async function byFormula(clipNorm = Number.POSITIVE_INFINITY): Promise<ReadonlyMap<string, Float32Array>> {
  const gradient = await compileGradient({ ...plan, by: plan.trainable, variable: plan.trainable });
  open.push(gradient);
  const weights = new Map(plan.trainable.map((name) => [name, floats(graph, name).data.slice()]));
  const velocities = new Map([...weights].map(([name, { length }]) => [name, new Float32Array(length)]));
  for (let step = 0; step < STEPS; step++) {
    gradient.images.set(images);
    gradient.targets.set(targets);
    for (const [name, data] of weights) gradient.set(name, float32(floats(graph, name).dims, data));
    const { gradients } = await gradient.run();
    const square = [...gradients.values()].reduce((sum, { data }) => sum + data.reduce((s, g) => s + g * g, 0), 0);
    const factor = Math.min(1, clipNorm / Math.sqrt(square));
    for (const [name, w] of weights) {
      const v = velocities.get(name) ?? new Float32Array(0);
      gradients.get(name)?.data.forEach((g, i) => {
        v[i] = optimizer.momentum * (v[i] ?? 0) + g * factor + optimizer.weightDecay * (w[i] ?? 0);
        w[i] = (w[i] ?? 0) - RATE * v[i];
      });
    }
  }
  return weights;
}

test.each([
  ["gradients of any length", {}],
  ["gradients shortened together", { clipNorm: 0.5 }],
])("three steps move weights of a megabyte by the formula: %s", async (_, clipping: { clipNorm?: number }) => {
  const step = await compileStep({ ...plan, ...clipping }, { threads: 2 });
  open.push(step);
  for (let i = 0; i < STEPS; i++) {
    step.images.set(images);
    step.targets.set(targets);
    await step.run(RATE);
  }
  const found = await step.weights();
  const expected = await byFormula(clipping.clipNorm);
  for (const name of plan.trainable) {
    const start = floats(graph, name).data;
    const wanted = expected.get(name) ?? new Float32Array(0);
    const moved = furthest(wanted, start);
    const off = furthest(wanted, found.get(name)?.data);
    // Float32 on both sides, in another order of sums: some 1e-6 of the way. A gradient that read a weight of the next
    // step is off by a tenth of it.
    expect(off, name).toBeLessThan(1e-4 * moved);
  }
});

test("a large weight that something is compared with trains too", async () => {
  const b = graphBuilder("exponents");
  const context: LayerContext = { b, random: randomStream(0, "init") };
  const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 8, 8])], { axis: 1 });
  const positive = b.op("Add", [relu(context, dense(context, "fc1", x, 64, WIDTH)), b.scalar(1)]);
  const rows = b.op("Unsqueeze", [positive, b.ints([1])]);
  const exponents = b.initializer("exponents", float32([WIDTH, WIDTH], new Float32Array(WIDTH * WIDTH).fill(0.5)));
  // The gradient by the base asks where the exponent is 0.
  const powers = b.op("ReduceMean", [b.op("Pow", [rows, exponents]), b.ints([2])], { keepdims: 0 });
  b.output(dense(context, "fc2", powers, WIDTH, CLASSES), "float32", ["batch", CLASSES]);
  const powered = b.build();
  const found = findClassifier(powered);
  const trainable = ["fc1.weight", "exponents", "fc2.weight"];
  const step = await compileStep({ ...plan, graph: powered, classifier: found, trainable });
  open.push(step);
  step.images.set(images);
  step.targets.set(targets);
  const losses = [await step.run(0.01), await step.run(0.01)];
  expect(losses[1]).toBeLessThan(losses[0] ?? 0);
});

/** Largest difference of an element; NaN where there is nothing to compare with. */
const furthest = (a: Float32Array, b: Float32Array | undefined): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b?.[i] ?? Number.NaN))), 0);

function floats(from: Graph, name: string): FloatTensor {
  const tensor = from.initializers.get(name);
  if (tensor?.type !== "float32") throw new Error(`no weight ${name}`);
  return tensor;
}
