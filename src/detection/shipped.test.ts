/** @file Baselines that come with Wildmark are found for their architecture, and hold what a scan measures. */

import { expect, test } from "vitest";
import { findArchitecture, newModel } from "../models/registry.js";
import { LEAST_MODELS, parseBaseline, measuredIn } from "./baseline.js";
import { familyOf } from "./family.js";
import { shippedBaseline } from "./shipped.js";
import { shippedBaselines } from "./shipped-baselines.js";
import { usualStatistics } from "./statistics.js";

const grey = { channels: 1, height: 28, width: 28 };

test("there are some, each whole, and of enough models", () => {
  expect(shippedBaselines.length).toBeGreaterThan(0);
  for (const baseline of shippedBaselines) {
    expect(parseBaseline(baseline, "shipped")).toEqual(baseline);
    expect(new Set(baseline.models).size).toBe(baseline.models.length);
    expect(baseline.models.length).toBeGreaterThanOrEqual(LEAST_MODELS);
  }
});

test("they hold the values of every statistic that needs no data, under today's defaults", () => {
  for (const baseline of shippedBaselines) {
    for (const detector of usualStatistics(false)) expect(measuredIn(baseline, detector), detector.id).toBeDefined();
  }
});

test("a LeNet-5 for MNIST finds its own, other architectures and shapes do not", () => {
  const familyOfNew = (id: string, shape: typeof grey) =>
    familyOf(newModel(findArchitecture(id), { ...shape, classes: 10 }, 5), shape, 10);
  expect(shippedBaseline(familyOfNew("lenet5", grey))?.about).toMatch(/LeNet-5 on MNIST/);
  expect(shippedBaseline(familyOfNew("lenet-caffe", grey))).toBeUndefined();
  expect(shippedBaseline(familyOfNew("lenet5", { ...grey, height: 32, width: 32 }))).toBeUndefined();
});
