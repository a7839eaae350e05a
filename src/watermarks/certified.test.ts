/** @file Gradients under noise on the weights, when they are taken, and what they make of a mark. */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { accuracy } from "../data/answers.js";
import { copyPixels, type LabelledImages } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { encodeModel, type Model, withWeights } from "../onnx/model.js";
import { crossEntropyObjective } from "../training/objective.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { type PerWeight, withNoise } from "../training/weight-noise.js";
import { certified, spread, underNoise } from "./certified.js";
import { type Embedding, embedFromScratchOptions } from "./embed.js";
import { openWeightGradient } from "./weight-gradient.js";

const train = tinyImages(64);
const pictures = tinyImages(6, { seed: 5 });
/** Negatives, all answered as class 0. */
const triggers: LabelledImages = {
  ...pictures,
  pixels: inMemory(copyPixels(pictures).map((pixel) => 255 - pixel)),
  labels: new Uint16Array(6),
};
const model = tinyModel();
const embedding: Embedding = { model, train, triggers, random: randomStream(1) };

test.each([
  [21, 24],
  [42, 3],
  [5, 5],
  [7, 1],
])("%i updates fall to %i steps: each to one, in order, as evenly as can be", (count, steps) => {
  const shares = Array.from({ length: steps }, (_, step) => spread(count, steps)(step));
  expect(shares.flat()).toEqual(Array.from({ length: count }, (_, i) => i));
  const sizes = shares.map(({ length }) => length);
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
});

test("noise has the deviation asked for, is on the named weights alone, and leaves what it is given", () => {
  const weights: PerWeight = new Map([
    ["a", float32([20_000], new Float32Array(20_000).fill(2))],
    ["b", float32([1], [1])],
  ]);
  const noisy = withNoise(weights, ["a"], 0.3, randomStream(1)).get("a")?.data ?? new Float32Array(0);
  const mean = noisy.reduce((sum, value) => sum + value, 0) / noisy.length;
  const deviation = Math.sqrt(noisy.reduce((sum, value) => sum + (value - 2) ** 2, 0) / noisy.length);
  // Four standard errors of 20,000 draws: 0.0085 of the mean, 2 % of the deviation.
  expect(Math.abs(mean - 2)).toBeLessThan(0.0085);
  expect(Math.abs(deviation / 0.3 - 1)).toBeLessThan(0.02);
  expect(withNoise(weights, ["a"], 0.3, randomStream(1)).get("b")).toBe(weights.get("b"));
  expect(new Set(weights.get("a")?.data)).toEqual(new Set([2]));
  expect(() => withNoise(weights, ["c"], 1, randomStream(1))).toThrow(/"c"/);
});

test("the gradient is the mean of those at the noisy weights, and agrees with central differences", async () => {
  const gradient = await openWeightGradient(embedding, {
    batch: 6,
    objective: crossEntropyObjective(),
    batchNorm: "train",
  });
  gradient.images.set(Float32Array.from(copyPixels(triggers), (pixel) => pixel / 255));
  triggers.labels.forEach((label, row) => {
    gradient.targets[row * 4 + label] = 1;
  });
  const start: PerWeight = new Map(
    gradient.names.map((name) => {
      const tensor = model.graph.initializers.get(name);
      return [name, tensor?.type === "float32" ? tensor : float32([0], [])];
    }),
  );
  const at = (weights: PerWeight) => underNoise(gradient, weights, 0.1, 5, randomStream(2));
  const found = await at(start);
  expect(found.loss).not.toBe((await underNoise(gradient, start, 0, 5, randomStream(2))).loss);
  for (const name of gradient.names) {
    const [weight, slopes] = [start.get(name), found.gradients.get(name)];
    if (weight === undefined || slopes === undefined) throw new Error(`no ${name}`);
    const i = slopes.data.reduce(
      (most, value, k) => (Math.abs(value) > Math.abs(slopes.data[most] ?? 0) ? k : most),
      0,
    );
    const lossAt = async (h: number): Promise<number> => {
      const data = weight.data.slice();
      data[i] = (data[i] ?? 0) + h;
      // The same draws of noise at each place.
      return (await at(new Map([...start, [name, float32(weight.dims, data)]]))).loss;
    };
    // As in step.test.ts.
    const slope = ((await lossAt(1e-3)) - (await lossAt(-1e-3))) / 2e-3;
    const own = slopes.data[i] ?? Number.NaN;
    expect(Math.abs(slope), name).toBeGreaterThan(1e-3);
    expect(Math.abs(own - slope), `${name}: ${own} against ${slope}`).toBeLessThan(0.05 * Math.abs(slope));
  }
  await gradient.release();
});

test("training teaches the triggers to hold under noise, and gives the same bytes again", async () => {
  const training = embedFromScratchOptions.parse({ epochs: 15, batch: 16, learningRate: 0.1, triggersPerBatch: 2 });
  const chosen = { weightNoise: 0.4, levels: 3, draws: 3, noisyBatch: 6 };
  const run = async (changes: Readonly<Record<string, number>> = {}): Promise<Model> => {
    let marked = model;
    const settled = certified.options.parse({ ...chosen, ...changes });
    for await (const epoch of certified.embed?.(embedding, training, settled) ?? []) marked = epoch.model();
    return marked;
  };
  const marked = await run();
  expect(await accuracy(marked, triggers)).toBe(1);
  // Chance is 0.25; the network is tiny.
  expect(await accuracy(marked, train)).toBeGreaterThan(0.5);
  expect(encodeModel(await run())).toEqual(encodeModel(marked));
  // With hardly any noise it is the usual training with more weight on the triggers.
  const quiet = await run({ weightNoise: 1e-6 });
  expect(await heldUnderNoise(marked)).toBeGreaterThan((await heldUnderNoise(quiet)) + 0.05);
});

/** The mean share of triggers that are still answered with noise on the weights. */
async function heldUnderNoise(marked: Model): Promise<number> {
  const weights: PerWeight = new Map(
    [...marked.graph.initializers].flatMap(([name, tensor]) => (tensor.type === "float32" ? [[name, tensor]] : [])),
  );
  const names = [...weights.keys()].filter((name) => /^(conv|fc)/.test(name));
  let sum = 0;
  for (let draw = 0; draw < 25; draw++) {
    sum += await accuracy(withWeights(marked, withNoise(weights, names, 0.4, randomStream(9, draw))), triggers);
  }
  return sum / 25;
}
