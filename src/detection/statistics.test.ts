/**
 * @file Every statistic detector finds a class that was made to stand out, answers the same for the same seed, and does
 * not care what classes are called; each gives the numbers that are known where they are.
 */

import { beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { mean, median, sampleStandardDeviation } from "../core/summary.js";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { withBackdoor } from "../removal/testing/backdoor.js";
import { perceptron } from "../removal/testing/perceptron.js";
import { learnt, tinyImages } from "../training/testing/tiny.js";
import type { Subject } from "./detector.js";
import { medianDeviations } from "./outliers.js";
import { findStatistic, statistics, usualStatistics } from "./statistics.js";
import {
  CLASSES,
  evenRows,
  HIDDEN,
  network,
  pixelScores,
  renamed,
  type Rows,
  subjectOf,
  withRow,
} from "./testing/planted.js";

/** Quick enough for a test. */
const QUICK: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "mm-bd": { starts: 6, steps: 200, learningRate: 0.1 },
  "free-eagle": { steps: 300 },
  "smooth-accuracy": { recovered: 6, recoverySteps: 40, draws: 10 },
  "head-probes": { probes: 500 },
  "neural-cleanse": { rounds: 40, roundSteps: 10 },
};

const choose = (id: string) => findStatistic(id).choose(QUICK[id] ?? {});
const dataFree = statistics.filter(({ needs }) => needs === "nothing").map(({ id }) => id);

const TARGET = 4;
/** A class that every hidden unit speaks for. */
const planted = withRow(evenRows(2), TARGET, () => Array.from({ length: HIDDEN }, () => 3), 2);

describe.each(dataFree)("%s", (id) => {
  test("finds the class that every hidden unit speaks for, and it stands out more than without", async () => {
    const found = await choose(id).run(subjectOf(network(planted)));
    const without = await choose(id).run(subjectOf(network(evenRows(2))));
    expect(found.target).toBe(TARGET);
    if (id !== "free-eagle") expect(found.value).toBeGreaterThan(without.value);
  });

  test("gives finite numbers, one a class, and a class that there is", async () => {
    for (const seed of [3, 4]) {
      const { value, target, classes } = await choose(id).run(subjectOf(network(evenRows(seed))));
      expect([value, ...classes].every(Number.isFinite)).toBe(true);
      expect(classes).toHaveLength(CLASSES);
      expect(Number.isInteger(target) && target >= 0 && target < CLASSES).toBe(true);
    }
  });

  test("gives the same for the same seed", async () => {
    const once = await choose(id).run(subjectOf(network(planted), 7));
    expect(await choose(id).run(subjectOf(network(planted), 7))).toEqual(once);
  });
});

const ORDER = [3, 0, 5, 1, 2, 4];

// Smoothed accuracy draws noise of its own for each class.
test.each(dataFree.filter((id) => id !== "smooth-accuracy"))("%s does not care what classes are called", async (id) => {
  const named = await choose(id).run(subjectOf(network(planted)));
  const other = await choose(id).run(subjectOf(network(renamed(planted, ORDER))));
  expect(other.target).toBe(ORDER[named.target]);
  expect(other.value / named.value).toBeCloseTo(1, 2);
  named.classes.forEach((value, label) => {
    const same = other.classes[ORDER[label] ?? 0] ?? Number.NaN;
    expect(Math.abs(same - value)).toBeLessThanOrEqual(1e-3 * Math.max(1e-3, Math.abs(value)));
  });
});

test("maximum margins of scores that are one pixel each are their factors", async () => {
  const factors = [1, 2, 1.5, 3, 1, 2];
  const { classes, target } = await findStatistic("mm-bd")
    .choose({ starts: 4, steps: 500, learningRate: 0.05, tolerance: 0 })
    .run(subjectOf(pixelScores(factors)));
  classes.forEach((margin, label) => void expect(margin).toBeCloseTo(factors[label] ?? Number.NaN, 1));
  expect(target).toBe(3);
});

test("last-layer statistics are those of the rows, however the file writes them", async () => {
  const rows: Rows = { ...evenRows(5), bias: [0.1, -0.4, 0, 2, 0.3, -1] };
  const sizes = rows.weights.map((weights, label) => {
    const length = Math.hypot(...weights) + Math.abs(rows.bias[label] ?? 0);
    return length * (1 + Math.abs(mean(weights) - median(weights)) / sampleStandardDeviation(weights));
  });
  const found = await choose("last-layer").run(subjectOf(network(rows)));
  found.classes.forEach((size, label) => void expect(size).toBeCloseTo(sizes[label] ?? Number.NaN, 4));
  expect(found.value).toBeCloseTo(Math.max(...medianDeviations(sizes).map(Math.abs)), 3);
});

test("a head that answers one class to everything has the whole share", async () => {
  const one = withRow(evenRows(6), 1, (weights) => weights, 1e4);
  const { value, target } = await choose("head-probes").run(subjectOf(network(one)));
  expect([value, target]).toEqual([CLASSES, 1]);
});

describe("Neural Cleanse", () => {
  const images = tinyImages(96, { seed: 3 });
  const subject = (model: Model): Subject => ({
    model,
    shape: images.shape,
    classes: 4,
    images,
    random: randomStream(1),
  });
  let clean: Model;
  beforeAll(async () => {
    clean = await learnt(perceptron(), tinyImages(96), 12);
  }, 30_000);

  test("names the class of a stamp of three pixels", async () => {
    const { target, classes } = await choose("neural-cleanse").run(subject(withBackdoor(clean, 2)));
    expect(target).toBe(2);
    expect(classes.every(Number.isFinite)).toBe(true);
  }, 20_000);

  test("says that it needs images", async () => {
    const { images: _, ...without } = subject(clean);
    await expect(choose("neural-cleanse").run(without)).rejects.toThrow(/needs clean images/);
  });
});

test("a model with a shortcut from the image to the scores is refused by those who look at a part of it", async () => {
  const b = graphBuilder("shortcut");
  const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 4, 4])], { axis: 1 });
  const weights = (name: string, rows: number, columns: number): string =>
    b.initializer(name, float32([rows, columns], new Float32Array(rows * columns).fill(0.1)));
  const hidden = b.op("Relu", [b.op("Gemm", [x, weights("first", 8, 16)], { transB: 1 })]);
  const [deep, direct] = [weights("second", CLASSES, 8), weights("beside", CLASSES, 16)];
  const scores = b.op("Add", [b.op("Gemm", [hidden, deep], { transB: 1 }), b.op("Gemm", [x, direct], { transB: 1 })]);
  b.output(scores, "float32", ["batch", CLASSES]);
  const model = decodeModel(encodeGraph(b.build()), "shortcut");
  for (const id of ["last-layer", "head-probes", "free-eagle"]) {
    await expect(choose(id).run(subjectOf(model))).rejects.toThrow(/cannot read this model/);
  }
});

test("every detector says what it cannot see, and those without data come without", () => {
  for (const { blind, summary, source } of statistics)
    for (const text of [blind, summary, source]) expect(text).not.toBe("");
  expect(usualStatistics(false).map(({ id }) => id)).toEqual(dataFree);
  expect(usualStatistics(true)).toHaveLength(statistics.length);
});

test("an unknown detector or option is named", () => {
  expect(() => findStatistic("nothing")).toThrow(/No statistic detector "nothing"/);
  expect(() => findStatistic("mm-bd").choose({ begin: 3 })).toThrow(/Options of mm-bd/);
});
