/** @file The worst perturbation of weights, the gradient that it leaves, and what is trained with both. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { accuracy } from "../data/answers.js";
import { copyPixels, type LabelledImages } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { createSession } from "../runtime/session.js";
import type { TrainedEpoch } from "../training/epochs.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import type { PerWeight } from "../training/weight-noise.js";
import { app, openTriggerGradient, worstNearby } from "./app.js";
import { withCleanBatchNorm } from "./clean-batch-norm.js";
import { type Embedding, embed, embedFromScratchOptions } from "./embed.js";

const images = tinyImages(64);
const pictures = tinyImages(6, { seed: 5 });
/** Negatives, all answered as class 0. */
const triggers: LabelledImages = {
  ...pictures,
  pixels: inMemory(copyPixels(pictures).map((pixel) => 255 - pixel)),
  labels: new Uint16Array(6),
};
const embeddingOf = (model: Model): Embedding => ({ model, train: images, triggers, random: randomStream(1) });
const training = embedFromScratchOptions.parse({ epochs: 12, batch: 16, learningRate: 0.1 });

async function lastOf(epochs: AsyncIterable<TrainedEpoch>): Promise<Model> {
  let last: Model | undefined;
  for await (const epoch of epochs) last = epoch.model();
  if (last === undefined) throw new Error("no epoch");
  return last;
}

const length = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));
const weightsOf = (model: Model, names: readonly string[]): PerWeight =>
  new Map(
    names.map((name) => {
      const tensor = model.graph.initializers.get(name);
      if (tensor?.type !== "float32") throw new Error(`no ${name}`);
      return [name, tensor];
    }),
  );

describe.each([false, true])("the triggers' loss, with batch normalisation %s", (batchNorm) => {
  const model = tinyModel({ batchNorm });
  const opened = async () => {
    const { feed, gradient } = await openTriggerGradient(embeddingOf(model), training, { perturbedBatch: 6 });
    feed.fill(1, 0, gradient.images, gradient.targets);
    return { feed, gradient, start: weightsOf(model, gradient.names) };
  };

  test("its gradient agrees with central differences, of every weight that it trains", async () => {
    const { gradient, start } = await opened();
    const { gradients } = await gradient.at(start);
    for (const name of gradient.names) {
      const [weight, slopes] = [start.get(name), gradients.get(name)];
      if (weight === undefined || slopes === undefined) throw new Error(`no ${name}`);
      // The steepest, where a difference says most.
      const i = slopes.data.reduce(
        (most, value, k) => (Math.abs(value) > Math.abs(slopes.data[most] ?? 0) ? k : most),
        0,
      );
      const lossAt = async (h: number): Promise<number> => {
        const data = weight.data.slice();
        data[i] = (data[i] ?? 0) + h;
        return (await gradient.at(new Map([...start, [name, float32(weight.dims, data)]]))).loss;
      };
      // As in step.test.ts: float32 losses over 2e-3 are good to 1e-4, a wrong sign or factor is off by far more.
      const slope = ((await lossAt(1e-3)) - (await lossAt(-1e-3))) / 2e-3;
      const found = slopes.data[i] ?? Number.NaN;
      // A bias before a normalisation moves nothing: there both are zero but for rounding.
      expect(Math.abs(found - slope), `${name}: ${found} against ${slope}`).toBeLessThan(0.05 * Math.abs(slope) + 1e-3);
    }
    await gradient.release();
  });

  test("the perturbation is ε of each weight's length, and raises the loss more than a random one", async () => {
    const { gradient, start } = await opened();
    const { loss, gradients } = await gradient.at(start);
    const worst = worstNearby(start, gradients, 0.02);
    for (const [name, { data }] of start) {
      const moved = worst.get(name)?.data.map((value, i) => value - (data[i] ?? 0)) ?? [];
      // Float32 differences of numbers fifty times as large.
      expect(length(moved) / length(data), name).toBeCloseTo(0.02, 4);
    }
    const random = randomStream(3);
    const noise: PerWeight = new Map(
      [...start].map(([name, { dims, data }]) => [
        name,
        float32(
          dims,
          data.map(() => random.normal()),
        ),
      ]),
    );
    const raised = (await gradient.at(worst)).loss - loss;
    expect(raised).toBeGreaterThan(0);
    expect(raised).toBeGreaterThan(3 * Math.abs((await gradient.at(worstNearby(start, noise, 0.02))).loss - loss));
    await gradient.release();
  });

  test("scales and shifts of normalisation are left to the clean images", async () => {
    const { feed, gradient } = await opened();
    expect(gradient.names.filter((name) => name.startsWith("bn."))).toEqual([]);
    expect(feed.batch).toBe(batchNorm ? 12 : 6);
    await gradient.release();
  });

  const run = async (alpha: number, chosen = training): Promise<Model> => {
    const { embed: own } = app;
    if (own === undefined) throw new Error("no training of its own");
    const settled = app.options.parse({ alpha, perturbedBatch: 6 });
    return lastOf(own(embeddingOf(model), chosen, settled));
  };

  test("training teaches the triggers beside the images, and gives the same bytes again", async () => {
    const marked = await run(0.1);
    expect(await accuracy(marked, triggers)).toBe(1);
    // Chance is 0.25; the network is tiny.
    expect(await accuracy(marked, images)).toBeGreaterThan(0.5);
    expect(encodeModel(await run(0.1))).toEqual(encodeModel(marked));
  });

  test("with α = 0 it is the usual training", async () => {
    const short = { ...training, epochs: 2 };
    const usual = await lastOf(embed(embeddingOf(model), short));
    expect(encodeModel(await run(0, short))).toEqual(encodeModel(usual));
    expect(encodeModel(await run(0.1, short))).not.toEqual(encodeModel(usual));
  });
});

test("a weight without a gradient, or with none but zeros, stays", () => {
  const weights: PerWeight = new Map([
    ["a", float32([2], [3, 4])],
    ["b", float32([1], [1])],
    ["c", float32([2], [0, 2])],
  ]);
  const gradients: PerWeight = new Map([
    ["a", float32([2], [0, 2])],
    ["c", float32([2], [0, 0])],
  ]);
  const moved = worstNearby(weights, gradients, 0.5);
  // Half of the length 5, along the second axis.
  expect([...(moved.get("a")?.data ?? [])]).toEqual([3, 6.5]);
  expect(moved.get("b")).toEqual(weights.get("b"));
  expect(moved.get("c")).toEqual(weights.get("c"));
});

test("clean-sample-based normalisation uses the statistics of the clean rows for all", async () => {
  const { graph } = tinyModel({ batchNorm: true });
  const node = graph.nodes.find(({ opType }) => opType === "BatchNormalization");
  const [input = "", output = ""] = [node?.inputs[0], node?.outputs[0]];
  const { graph: clean, affine } = withCleanBatchNorm(graph, 2);
  expect(affine).toEqual(new Set(["bn.scale", "bn.shift"]));
  const session = await createSession({
    ...clean,
    outputs: [input, output].map((name) => ({ name, type: "float32" as const, dims: undefined })),
  });
  const data = Float32Array.from(copyPixels(tinyImages(5)), (pixel, i) => (i < 128 ? 3 : 1) * (pixel / 255));
  const values = await session.run(new Map([["image", float32([5, 1, 8, 8], data)]]));
  await session.release();
  const [before, after] = [values.get(input), values.get(output)];
  if (before?.type !== "float32" || after?.type !== "float32") throw new Error("no floats");
  const [, channels = 0, height = 0, width = 0] = before.dims;
  const map = height * width;
  const [scale, shift] = ["bn.scale", "bn.shift"].map((name) => graph.initializers.get(name)?.data ?? []);
  for (let channel = 0; channel < channels; channel++) {
    const at = (row: number): number => (row * channels + channel) * map;
    const seen = [2, 3, 4].flatMap((row) => [...before.data.subarray(at(row), at(row) + map)]);
    const mean = seen.reduce((sum, value) => sum + value, 0) / seen.length;
    const variance = seen.reduce((sum, value) => sum + (value - mean) ** 2, 0) / seen.length;
    for (const row of [0, 4]) {
      const expected =
        (((before.data[at(row)] ?? 0) - mean) / Math.sqrt(variance + 1e-5)) * Number(scale?.[channel]) +
        Number(shift?.[channel]);
      expect(after.data[at(row)]).toBeCloseTo(expected, 4);
    }
  }
});
