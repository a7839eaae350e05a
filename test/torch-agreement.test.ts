/**
 * @file The same LeNet-5, batches and SGD in PyTorch and here: losses of 20 steps agree.
 *
 * `fixtures/torch-lenet5.py` recorded PyTorch's side; this file makes the same weights and images from the same
 * generator. Twenty steps with momentum compound every gradient, so that a wrong one shows.
 */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { float32 } from "../src/core/tensor.js";
import { findArchitecture, newModel } from "../src/models/registry.js";
import { findClassifier } from "../src/onnx/classifier.js";
import { withWeights } from "../src/onnx/model.js";
import { crossEntropyObjective } from "../src/training/objective.js";
import { optimizerSchema } from "../src/training/optimizer.js";
import { compileStep } from "../src/training/step.js";

const BATCH = 64;
const fixture = z
  .object({ losses: z.array(z.number()).length(20) })
  .parse(JSON.parse(readFileSync(new URL("fixtures/torch-lenet5.json", import.meta.url), "utf8")));

let state = 2020;
function uniform(): number {
  state = (Math.imul(1664525, state) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

function drawn(dims: readonly number[], fanIn: number) {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return float32(
    dims,
    Float32Array.from({ length: count }, () => (2 * uniform() - 1) / Math.sqrt(fanIn)),
  );
}

function fillBatch(images: Float32Array, targets: Float32Array): void {
  const labels = Array.from({ length: BATCH }, () => Math.floor(10 * uniform()));
  const pixels = Array.from({ length: BATCH * 784 }, () => 0.5 * uniform());
  labels.forEach((label, i) => {
    for (let y = 2 * label + 3; y < 2 * label + 6; y++) {
      for (let x = 4; x < 24; x++) pixels[i * 784 + y * 28 + x] = (pixels[i * 784 + y * 28 + x] ?? 0) + 0.4;
    }
  });
  images.set(pixels);
  targets.fill(0);
  labels.forEach((label, i) => {
    targets[i * 10 + label] = 1;
  });
}

test("20 steps of LeNet-5 give PyTorch's losses to 1e-4", async () => {
  const layers = [
    { name: "conv1", dims: [20, 1, 5, 5], fanIn: 25 },
    { name: "conv2", dims: [50, 20, 5, 5], fanIn: 500 },
    { name: "fc1", dims: [500, 800], fanIn: 800 },
    { name: "fc2", dims: [10, 500], fanIn: 500 },
  ];
  const weights = layers.flatMap(({ name, dims, fanIn }) => [
    [`${name}.weight`, drawn(dims, fanIn)] as const,
    [`${name}.bias`, drawn(dims.slice(0, 1), fanIn)] as const,
  ]);
  const fresh = newModel(findArchitecture("lenet-caffe"), { channels: 1, height: 28, width: 28, classes: 10 }, 0);
  const { graph } = withWeights(fresh, new Map(weights));
  const classifier = findClassifier(graph);
  const step = await compileStep({
    graph,
    classifier,
    classes: 10,
    batch: BATCH,
    objective: crossEntropyObjective(),
    optimizer: optimizerSchema.parse({ kind: "sgd", momentum: 0.9, weightDecay: 5e-4 }),
    trainable: classifier.trainable,
    batchNorm: "train",
  });
  const losses: number[] = [];
  for (let i = 0; i < fixture.losses.length; i++) {
    fillBatch(step.images, step.targets);
    losses.push(await step.run(0.05));
  }
  await step.release();
  // Both sides round to float32 and add in different orders; twenty steps let that grow to about 1e-5.
  losses.forEach((loss, i) => {
    const expected = fixture.losses[i] ?? Number.NaN;
    expect(Math.abs(loss - expected) / expected, `loss of step ${i + 1}: ${loss} against ${expected}`).toBeLessThan(
      1e-4,
    );
  });
});
