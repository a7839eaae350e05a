/**
 * @file Training on WebGPU gives what it gives on the CPU: LeNet-5 and ResNet-18, with and without batch normalisation.
 *
 * Runs on SwiftShader, Chromium's software renderer, where Debian's `chromium` and `libvulkan1` are installed, or on
 * the driver that VK_DRIVER_FILES names.
 */

import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { randomStream } from "../src/core/random.js";
import { float32 } from "../src/core/tensor.js";
import { findArchitecture, newModel } from "../src/models/registry.js";
import { graphBuilder } from "../src/onnx/builder.js";
import { imageGraph } from "../src/onnx/image-graph.js";
import type { Model } from "../src/onnx/model.js";
import { wildObjective, wildOptions } from "../src/removal/wild.js";
import { createSession, type Device } from "../src/runtime/session.js";
import type { BatchNormMode } from "../src/training/batch-norm.js";
import { crossEntropyObjective, type Objective } from "../src/training/objective.js";
import { compileStep } from "../src/training/step.js";
import { tinyModel } from "../src/training/testing/tiny.js";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
// Vulkan reads it when the first WebGPU session is made.
process.env.VK_DRIVER_FILES ??= SWIFTSHADER;

const there = existsSync(process.env.VK_DRIVER_FILES) && (await answersAt("webgpu"));

async function answersAt(device: Device): Promise<boolean> {
  const b = graphBuilder("probe");
  b.output(b.op("Neg", [b.input("x", "float32", [1])]), "float32", [1]);
  try {
    const session = await createSession(b.build(), { device });
    await session.run(new Map([["x", float32([1], [1])]]));
    await session.release();
    return true;
  } catch {
    return false;
  }
}

const BATCH = 4;
const STEPS = 3;
const CLASSES = 10;

interface Trained {
  readonly losses: readonly number[];
  readonly weights: ReadonlyMap<string, Float32Array>;
}

async function train(model: Model, objective: Objective, batchNorm: BatchNormMode, device: Device): Promise<Trained> {
  const [, channels = 1, height = 1, width = 1] = model.graph.inputs[0]?.dims?.map(Number) ?? [];
  const { graph, classifier } = imageGraph(model, { channels, height, width });
  const { trainable } = classifier;
  const optimizer = { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 1e-3 } as const;
  const plan = { graph, classifier, classes: CLASSES, batch: BATCH, objective, optimizer, trainable, batchNorm };
  const step = await compileStep({ ...plan, clipRatio: 0.1 }, { device, threads: 1 });
  const random = randomStream(1, "images");
  const losses: number[] = [];
  try {
    for (let i = 0; i < STEPS; i++) {
      for (let at = 0; at < step.images.length; at++) step.images[at] = random.uniform();
      step.targets.fill(0);
      for (let row = 0; row < BATCH; row++) step.targets[row * CLASSES + random.below(CLASSES)] = 1;
      losses.push(await step.run(0.01));
    }
    const weights = await step.weights();
    return { losses, weights: new Map([...weights].map(([name, { data }]) => [name, data])) };
  } finally {
    await step.release();
  }
}

const architecture = (id: string, side: number, channels: number): Model =>
  newModel(findArchitecture(id), { channels, height: side, width: side, classes: CLASSES }, 0);

const cases: readonly [string, Model, Objective, BatchNormMode][] = [
  ["LeNet-5 with WILD", architecture("lenet5", 28, 1), wildObjective(wildOptions.parse({})), "train"],
  ["ResNet-18", architecture("resnet18-4", 16, 3), crossEntropyObjective(), "train"],
  [
    "ResNet-18 with its batch normalisation frozen",
    architecture("resnet18-4", 16, 3),
    crossEntropyObjective(),
    "frozen",
  ],
  [
    "a CNN with overlapping forms",
    tinyModel({ channels: 3, side: 16, classes: CLASSES, batchNorm: true }),
    crossEntropyObjective(),
    "train",
  ],
];

// Sums of float32 come in another order: losses differ by rounding, and weights by as much as a few steps make of it.
const LOSS_TOLERANCE = 1e-5;
const WEIGHT_TOLERANCE = 2e-3;

test.skipIf(!there).each(cases)(
  "%s: three steps as on the CPU",
  { timeout: 300_000 },
  async (_, model, objective, mode) => {
    const onCpu = await train(model, objective, mode, "cpu");
    const onGpu = await train(model, objective, mode, "webgpu");
    onGpu.losses.forEach((loss, i) => {
      const expected = onCpu.losses[i] ?? Number.NaN;
      expect(Math.abs(loss - expected) / Math.abs(expected)).toBeLessThan(LOSS_TOLERANCE);
    });
    expect([...onGpu.weights.keys()]).toEqual([...onCpu.weights.keys()]);
    for (const [name, data] of onGpu.weights) {
      const expected = onCpu.weights.get(name) ?? new Float32Array(0);
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] ?? Number.NaN))), 0);
      expect(worst, name).toBeLessThanOrEqual(WEIGHT_TOLERANCE * largest);
    }
  },
);
