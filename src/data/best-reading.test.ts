/**
 * @file That the reading under which a network was trained is found again, and when looking for it is not worth while.
 */

import { beforeAll, describe, expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { trainModel, trainOptionsOf } from "../tasks/train-model.js";
import { recipeFor } from "../models/recipes.js";
import { findArchitecture } from "../models/registry.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, type Model, withPreprocessing } from "../onnx/model.js";
import { readAs, sameReading } from "../onnx/readings.js";
import { answers, accuracy as measured } from "./answers.js";
import { bestReading, mightBeBeaten, racedImages } from "./best-reading.js";
import type { Dataset, LabelledImages } from "./dataset.js";
import { loadData } from "./load.js";
import { pixelStatistics } from "./pixel-statistics.js";
import { inMemory } from "./pixels.js";
import { thirtyPreprocessings, wrapped } from "./testing/wrapped.js";

const runtime = { threads: 1 };
let dataset: Dataset;
let model: Model;

beforeAll(async () => {
  dataset = await loadData("digits", { limits: { train: 4000, test: 1000 } });
  const architecture = findArchitecture("lenet5");
  const options = trainOptionsOf(recipeFor(architecture)).parse({ epochs: 5 });
  model = (await trainModel({ dataset, architecture, options, seed: 1 }, { runtime })).model;
}, 120_000);

describe("a network of digits", () => {
  test("as it was trained: nothing beats it, and nothing else is found", async () => {
    const { used, best, scores, images } = await bestReading(model, dataset.test, { runtime });
    expect(images).toBe(1000);
    expect(best).toBe(used);
    expect(best).toMatchObject({ finished: true, plausible: true, pValue: 1, clearlyBetter: false });
    expect(scores.filter(({ clearlyBetter }) => clearlyBetter)).toEqual([]);
    expect(scores.some(({ finished }) => !finished)).toBe(true);
    // It is the accuracy that evaluation finds.
    expect(best.accuracy).toBe(await measured(model, racedImages(dataset.test), runtime));
    expect(await mightBeBeaten(model, dataset.test, await answers(model, dataset.test, runtime), { runtime })).toBe(
      false,
    );
  });

  // MNIST's statistics and these digits' own are too near to each other to be told apart.
  test.each(thirtyPreprocessings({ channels: 1 }).filter(({ mean }, i) => i % 4 === 0 && mean[0] !== 0.1307))(
    "in $layout, $range, mean $mean, deviation $std: found, and what is assumed is clearly beaten",
    async (as) => {
      const { shape } = dataset.test;
      const other = wrapped(model, shape, as);
      const { used, best } = await bestReading(other, dataset.test, { runtime });
      expect(sameReading(best.reading, as, shape), best.reading.name).toBe(true);
      expect(best.clearlyBetter).toBe(true);
      expect(used.accuracy).toBe(await measured(other, racedImages(dataset.test), runtime));
      // Host and graph scale alike.
      expect(best.accuracy).toBeCloseTo(
        await measured(readAs(other, best.reading), racedImages(dataset.test), runtime),
        2,
      );
      expect(await mightBeBeaten(other, dataset.test, await answers(other, dataset.test, runtime), { runtime })).toBe(
        true,
      );
    },
  );
});

// Of such networks a reading of more contrast answers 12 to 16 % where their own answers 10 %: that is more than luck
// (p < 1e-6), and still no sign that they were trained so.
test.each([2, 3])(
  "a network that has hardly learnt anything (seed %i) is not said to be read wrongly",
  async (seed) => {
    const few = await loadData("digits", { limits: { train: 200, test: 1000 } });
    const architecture = findArchitecture("lenet5");
    const options = trainOptionsOf(recipeFor(architecture)).parse({ epochs: 3, batch: 32 });
    const { model: hardly } = await trainModel({ dataset: few, architecture, options, seed }, { runtime });
    const { used, scores } = await bestReading(hardly, few.test, { runtime });
    expect(used.accuracy).toBeLessThan(0.2);
    // Luck does not explain it: without the least lead the network would be refused.
    expect(scores.some(({ finished, pValue, accuracy }) => finished && pValue < 1e-3 && accuracy > used.accuracy)).toBe(
      true,
    );
    expect(scores.filter(({ clearlyBetter }) => clearlyBetter)).toEqual([]);
  },
);

test("a lead may the sooner be luck the more readings there are", async () => {
  // Eight of eight images: 2^-8 for one reading is below a hundredth, for as many as there are it is not.
  const { best, scores } = await bestReading(threshold(100), pairsOfPixels(16));
  expect(best.accuracy).toBe(1);
  expect(2 ** -8).toBeLessThan(0.01);
  expect(best.pValue).toBeCloseTo((scores.length - 1) * 2 ** -8, 12);
  expect(best.clearlyBetter).toBe(false);
});

/** Grey images of two pixels; of class 1 those whose first pixel is brighter than 100. */
function pairsOfPixels(count: number): LabelledImages {
  const pixels = Uint8Array.from({ length: count * 2 }, (_, i) => (i % 2 === 0 ? (i % 4 === 0 ? 40 : 200) : 0));
  const labels = Uint16Array.from({ length: count }, (_, i) => i % 2);
  return { shape: { channels: 1, height: 1, width: 2 }, classes: 2, count, pixels: inMemory(pixels), labels };
}

/** Answers 1 where the first pixel is above a threshold; with a softmax behind it or without. */
function threshold(at: number, softmax = false): Model {
  const b = graphBuilder("threshold");
  const flat = b.op("Flatten", [b.input("x", "float32", ["N", 1, 1, 2])], { axis: 1 });
  const weight = b.initializer("w", float32([2, 2], [0, 1, 0, 0]));
  const scores = b.op("Gemm", [flat, weight, b.initializer("b", float32([2], [at, 0]))]);
  b.output(softmax ? b.op("Softmax", [scores], { axis: 1 }) : scores, "float32", ["N", 2]);
  return decodeModel(encodeGraph(b.build()), "threshold");
}

test("a model that answers one class on 0 to 1 is found to take bytes, with a softmax or without", async () => {
  for (const softmax of [false, true]) {
    const { used, best } = await bestReading(threshold(100, softmax), pairsOfPixels(100));
    expect(used).toMatchObject({ accuracy: 0.5, clearlyBetter: false });
    expect(best).toMatchObject({ accuracy: 1, images: 100, clearlyBetter: true });
    expect(best.reading).toMatchObject({ range: [0, 255], mean: [0], std: [1] });
    // 2^-50 of the fifty images that it wins, for each of the other readings.
    expect(best.pValue).toBeLessThan(1e-13);
  }
});

// Under both all images are answered correctly, and the labels are as likely as can be.
test.each([
  ["MNIST's mean and deviation", 0.1307, 0.3081],
  ["Fashion-MNIST's mean and deviation", 0.286, 0.353],
])("where nothing else tells readings apart, batch normalisation does: %s", async (name, mean, std) => {
  const images = pairsOfPixels(400);
  const values = [40, 200, 0, 0].map((pixel) => (pixel / 255 - mean) / std);
  const middle = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / values.length;
  const b = graphBuilder("normalised");
  const one = (key: string, value: number): string => b.initializer(key, float32([1], [value]));
  const x = b.input("x", "float32", ["N", 1, 1, 2]);
  const statistics = [
    one("scale", Math.sqrt(variance)),
    one("shift", middle),
    one("mean", middle),
    one("var", variance),
  ];
  const flat = b.op("Flatten", [b.op("BatchNormalization", [x, ...statistics])], { axis: 1 });
  const weight = b.initializer("w", float32([2, 2], [0, 100, 0, 0]));
  b.output(b.op("Gemm", [flat, weight, b.initializer("b", float32([2], [30, 0]))]), "float32", ["N", 2]);
  const { best, scores } = await bestReading(decodeModel(encodeGraph(b.build()), "normalised"), images);
  expect(scores.filter(({ finished, accuracy }) => finished && accuracy === 1).length).toBeGreaterThan(2);
  expect(best.reading.name).toBe(name);
  expect(best.misfit).toBeLessThan(1e-3);
  expect(scores.filter(({ plausible }) => plausible)).toEqual([best]);
});

test("flags are kept, or shown to be mistaken where that is asked for", async () => {
  const flagged = withPreprocessing(threshold(100), { from: "--range", says: { range: [0, 1], std: [1], mean: [0] } });
  const kept = await bestReading(flagged, pairsOfPixels(100));
  expect(kept.scores).toHaveLength(1);
  const free = await bestReading(flagged, pairsOfPixels(100), { againstFlags: true });
  expect(free.best.reading).toMatchObject({ range: [0, 255], against: ["range"] });
});

test("too few images show nothing clearly", async () => {
  const { best, scores } = await bestReading(threshold(100), pairsOfPixels(10));
  expect(best).toMatchObject({ accuracy: 1, clearlyBetter: false });
  // Five images of five, by any of the readings that are tried.
  expect(best.pValue).toBe((scores.length - 1) * 2 ** -5);
});

test("statistics are those of all pixels, by channel and together", () => {
  // One image of two channels: 0 and 100, 100 and 200.
  const images = {
    shape: { channels: 2, height: 1, width: 2 },
    count: 1,
    pixels: inMemory(Uint8Array.from([0, 100, 100, 200])),
  };
  const { mean, std, overall } = pixelStatistics(images);
  expect(mean.map((value) => value * 255)).toEqual([50, 150]);
  for (const value of std) expect(value * 255).toBeCloseTo(50);
  expect(overall.mean * 255).toBeCloseTo(100);
  expect(overall.std * 255).toBeCloseTo(Math.sqrt(5000));
});
