/** @file A training step whose lowerings were measured gives what one with lowerings by rule gives, up to rounding. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { copyPixels } from "../data/dataset.js";
import { imageGraph } from "../onnx/image-graph.js";
import { identityOf, targetOf } from "../runtime/autotuning/identity.js";
import type { Autotuning } from "../runtime/autotuning/mode.js";
import { choicesFolder, keepChoice } from "../runtime/autotuning/store.js";
import { chooseLowerings } from "../runtime/autotuning/autotune.js";
import { crossEntropyObjective } from "./objective.js";
import { gradientGraph, layerOf } from "./primitives.js";
import { compileStep } from "./step.js";
import { tinyImages, tinyModel } from "./testing/tiny.js";

const BATCH = 8;
const CLASSES = 4;
const model = tinyModel({ channels: 3, side: 16 });
const images = tinyImages(BATCH, { channels: 3, side: 16 });

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "wildmark-autotuned-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

/** Weights after three steps, and what was said. */
async function trained(autotuning: Autotuning) {
  const { graph, classifier } = imageGraph(model, images.shape);
  const notes: string[] = [];
  const step = await compileStep(
    {
      graph,
      classifier,
      classes: CLASSES,
      batch: BATCH,
      objective: crossEntropyObjective(),
      optimizer: { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 },
      trainable: classifier.trainable,
      batchNorm: "train",
    },
    { autotuning },
    { onNote: (line) => notes.push(line) },
  );
  step.images.set(Float32Array.from(copyPixels(images), (pixel) => pixel / 255));
  step.targets.fill(0);
  images.labels.forEach((label, row) => {
    step.targets[row * CLASSES + label] = 1;
  });
  for (let i = 0; i < 3; i++) await step.run(0.1);
  const weights = new Map([...(await step.weights())].map(([name, { data }]) => [name, data.slice()]));
  await step.release();
  return { weights, notes };
}

async function choices(autotuning: Autotuning) {
  const graph = await gradientGraph(model, images.shape, BATCH);
  const target = await targetOf({});
  const found = await chooseLowerings(graph, { autotuning, target });
  return found.map((choice) => ({
    ...choice,
    layer: layerOf(graph, choice.node),
    identity: identityOf(choice.node, choice.candidates, target),
  }));
}

/** Three steps of rate 0.1 move weights by up to 0.1; float32 sums in another order differ in the sixth digit. */
function expectClose(found: ReadonlyMap<string, Float32Array>, expected: ReadonlyMap<string, Float32Array>): void {
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [name, values] of expected) {
    const apart = values.map((value, i) => Math.abs(value - (found.get(name)?.[i] ?? Number.NaN)));
    expect(Math.max(...apart), name).toBeLessThan(1e-5);
  }
}

test("under full it is measured once, agrees with off, and cached gives the same bits", async () => {
  const byRule = await trained("off");
  expect(byRule.notes).toEqual([]);
  const measured = await trained("full");
  expect(measured.notes.join()).toMatch(/^measured the lowerings of 2 shapes/);
  expectClose(measured.weights, byRule.weights);
  const cached = await trained("cached");
  expect(cached.notes).toEqual([]);
  expect(cached.weights).toEqual(measured.weights);
  expect((await trained("full")).notes).toEqual([]);
});

test("with any other lowering than the rule's it agrees with off, too", async () => {
  const byRule = await trained("off");
  const layers = (await choices("full")).filter(({ candidates }) => candidates.length > 1);
  expect(layers.map(({ layer }) => layer)).toEqual(["MaxPool", "conv.weight"]);
  const most = Math.max(...layers.map(({ candidates }) => candidates.length));
  for (let i = 1; i < most; i++) {
    await rm(choicesFolder(), { recursive: true });
    for (const { identity, candidates, measured = [] } of layers) {
      const lowering = candidates[Math.min(i, candidates.length - 1)] ?? "";
      await keepChoice(choicesFolder(), { identity, measured: [...measured], lowering, at: new Date().toISOString() });
    }
    const taken = (await choices("cached")).filter(({ candidates }) => candidates.length > 1);
    for (const { lowering, candidates, why } of taken) {
      expect(why).toBe("cached");
      expect(lowering).not.toBe(candidates[0]);
    }
    expectClose((await trained("cached")).weights, byRule.weights);
  }
});
