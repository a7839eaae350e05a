/**
 * @file The graph that a GPU is given, run on the CPU: weights and running statistics as vectors, normalisation
 * decomposed, convolutions by rows. It trains as the CPU's own graph does. (On a GPU: test/webgpu.slow.ts.)
 */

import { describe, expect, test } from "vitest";
import { randomStream } from "../../core/random.js";
import type { FloatTensor } from "../../core/tensor.js";
import { findArchitecture, newModel } from "../../models/registry.js";
import { imageGraph } from "../../onnx/image-graph.js";
import type { Model } from "../../onnx/model.js";
import { createMemorySession } from "../../runtime/state.js";
import { crossEntropyObjective } from "../objective.js";
import { lowered, stepInputs } from "../objective-gradients.js";
import { compileStep } from "../step.js";
import type { StepPlan, TrainingStep, Treatment } from "../step-plan.js";
import { tinyModel } from "../testing/tiny.js";
import { deriveTrainingGraph, trainingStep } from "./one-graph.js";
import { inVectors } from "./vectors.js";

const BATCH = 6;
const CLASSES = 4;
const SHAPE = { channels: 3, height: 16, width: 16 };

const sgd = { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 1e-2 } as const;

const muon = { kind: "muon", momentum: 0.6, nesterov: true, iterations: 3, unit: false } as const;
const slower = { optimizer: sgd, rate: 0.5 };
const treatments = new Map<string, Treatment>([
  ["fc1.weight", { optimizer: muon, rate: 1 }],
  ["fc1.bias", slower],
  ["bn.shift", slower],
]);

const tiny = tinyModel({ channels: 3, side: 16, classes: CLASSES, batchNorm: true });
const resnet = newModel(findArchitecture("resnet18-4"), { ...SHAPE, classes: CLASSES }, 0);

function planFor(model: Model, changes: Partial<StepPlan> = {}): StepPlan {
  const { graph, classifier } = imageGraph(model, SHAPE);
  return {
    graph,
    classifier,
    classes: CLASSES,
    batch: BATCH,
    objective: crossEntropyObjective(),
    optimizer: sgd,
    trainable: classifier.trainable,
    batchNorm: "train",
    ...changes,
  };
}

/** A step of the graph that is made for WebGPU, whose state lies in main memory. */
async function compileForGpu(plan: StepPlan, longest?: number): Promise<TrainingStep> {
  const device = { device: "webgpu" } as const;
  const inputs = stepInputs(plan);
  const derived = await deriveTrainingGraph(plan, inputs, device, inVectors(longest));
  const session = await createMemorySession(await lowered(derived.graph, device), derived.changed, { threads: 1 });
  return trainingStep(plan, session, derived, inputs);
}

type Weights = ReadonlyMap<string, FloatTensor>;

/** Losses and weights of some steps on noise; `between` is done after the first. */
async function trained(
  step: TrainingStep,
  between: (step: TrainingStep) => Promise<void>,
): Promise<{ readonly losses: readonly number[]; readonly weights: Weights }> {
  const random = randomStream(1, "images");
  const losses: number[] = [];
  try {
    for (let i = 0; i < 3; i++) {
      for (let at = 0; at < step.images.length; at++) step.images[at] = random.uniform();
      step.targets.fill(0);
      for (let row = 0; row < BATCH; row++) step.targets[row * CLASSES + random.below(CLASSES)] = 1;
      losses.push(await step.run(0.02));
      if (i === 0) await between(step);
    }
    return { losses, weights: await step.weights() };
  } finally {
    await step.release();
  }
}

async function expectSame(
  plan: StepPlan,
  between = async (_: TrainingStep): Promise<void> => {},
  longest?: number,
): Promise<void> {
  const expected = await trained(await compileStep(plan, { threads: 1 }), between);
  const found = await trained(await compileForGpu(plan, longest), between);
  // Sums of float32 in another order, after three steps.
  found.losses.forEach((loss, i) => {
    expect(loss).toBeCloseTo(expected.losses[i] ?? Number.NaN, 4);
  });
  expect([...found.weights.keys()]).toEqual([...expected.weights.keys()]);
  for (const [name, { dims, data }] of found.weights) {
    const wanted = expected.weights.get(name);
    expect(dims, name).toEqual(wanted?.dims);
    const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - (wanted?.data[i] ?? Number.NaN))), 0);
    expect(worst, name).toBeLessThanOrEqual(2e-3 * largest);
  }
}

test.each<[string, Model, Partial<StepPlan>]>([
  ["a CNN", tiny, {}],
  ["a CNN whose gradients are shortened weight by weight", tiny, { clipRatio: 0.02 }],
  ["a CNN whose gradients are shortened together", tiny, { clipNorm: 0.1 }],
  ["a CNN shortened both ways", tiny, { clipRatio: 0.05, clipNorm: 0.1 }],
  ["a CNN by Adam", tiny, { optimizer: { kind: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weightDecay: 0.01 } }],
  ["a CNN whose biases do not decay", tiny, { optimizer: { ...sgd, decayOn: "kernels" } }],
  ["a CNN with its normalisation frozen", tiny, { batchNorm: "frozen" }],
  ["the last layer of a CNN", tiny, { trainable: ["fc2.weight", "fc2.bias"] }],
  ["one weight of a CNN", tiny, { trainable: ["fc1.weight"] }],
  ["a CNN whose weights move in three ways", tiny, { treatments }],
  ["a ResNet-18", resnet, {}],
  ["a ResNet-18 whose gradients are shortened weight by weight", resnet, { clipRatio: 0.02 }],
])("%s", (_, model, changes) => expectSame(planFor(model, changes)));

// `conv` has 108 + 4 weights, `bn` 8, `fc1` 768 + 12, `fc2` 48 + 4.
test.each([1, 120, 800])("weights in vectors of at most %d elements", (longest) =>
  expectSame(planFor(tiny, { clipRatio: 0.02 }), undefined, longest),
);

test("what one arrangement leaves, the other goes on from, momentum and all", async () => {
  const plan = planFor(tiny, { treatments });
  const expected = await trained(await compileStep(plan, { threads: 1 }), async () => {});
  for (const [from, to] of [
    [compileForGpu(plan), compileStep(plan, { threads: 1 })],
    [compileStep(plan, { threads: 1 }), compileForGpu(plan)],
  ]) {
    const [first, second] = [await from, await to];
    if (first === undefined || second === undefined) throw new Error("two steps");
    const random = randomStream(1, "images");
    for (const [i, step] of [first, second, second].entries()) {
      for (let at = 0; at < step.images.length; at++) step.images[at] = random.uniform();
      step.targets.fill(0);
      for (let row = 0; row < BATCH; row++) step.targets[row * CLASSES + random.below(CLASSES)] = 1;
      expect(await step.run(0.02)).toBeCloseTo(expected.losses[i] ?? Number.NaN, 4);
      if (i === 0) await second.restore(await first.state());
    }
    const found = await second.state();
    expect(found.steps).toBe(3);
    expect([...(found.slots.get("momentum")?.keys() ?? [])].sort()).toEqual([...plan.trainable].sort());
    for (const [name, { data }] of await second.weights()) {
      const wanted = expected.weights.get(name)?.data ?? [];
      data.forEach((value, i) => {
        expect(value, name).toBeCloseTo(wanted[i] ?? Number.NaN, 4);
      });
    }
    await Promise.all([first.release(), second.release()]);
  }
});

describe("weights that are replaced on the way", () => {
  const half = (weights: Weights, names: readonly string[]): Weights =>
    new Map(
      [...weights].flatMap(([name, tensor]) =>
        names.includes(name) ? [[name, { ...tensor, data: tensor.data.map((value) => value / 2) }]] : [],
      ),
    );

  test.each([[["conv.weight"]], [["fc1.bias", "bn.mean"]]])("%j, and no others", (names) =>
    expectSame(planFor(tiny), async (step) => {
      await step.replace(half(await step.weights(), names));
    }),
  );
});
