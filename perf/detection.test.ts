/** @file The study's own arithmetic: ROC curves, areas, and what is left out. */

import { expect, test } from "vitest";
import { areaUnder, familyResult, rocOf, type StudiedModel, TOGETHER } from "./detection-analysis.js";
import { families, modelsOf } from "./detection-models.js";

test("the area under a ROC curve is the Mann-Whitney statistic, ties by half", () => {
  const area = (marked: readonly number[], clean: readonly number[]): number => areaUnder(rocOf(marked, clean));
  expect(area([3, 4], [1, 2])).toBe(1);
  expect(area([1, 2], [3, 4])).toBe(0);
  expect(area([2], [2])).toBe(0.5);
  // Pairs: 3 > 1, 3 > 2, 3 = 3 (½), 1 = 1 (½), 1 < 2, 1 < 3: 3 of 6.
  expect(area([3, 1], [1, 2, 3])).toBeCloseTo(0.5, 12);
});

test("models have names and seeds of their own, and baseline models are never told", () => {
  const all = families.flatMap((family) => modelsOf(family));
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  for (const family of families) {
    const seeds = modelsOf(family).map(({ seed }) => seed);
    expect(new Set(seeds).size).toBe(seeds.length);
  }
  expect(all.filter(({ role }) => role !== "baseline").length).toBeGreaterThan(200);
});

test("models are told among the baseline, and those that learnt no mark are left out and counted", () => {
  const [family] = families;
  if (family === undefined) throw new Error("there is no family");
  const models = modelsOf(family).map((plan, i): StudiedModel => {
    const marked = "mark" in plan;
    const failed = plan.id.endsWith("fixed-0-content-scratch");
    const target = "target" in plan ? plan.target : 0;
    const value = plan.role === "fixed" ? 1000 + i : i;
    const one = { value, target, classes: Array.from({ length: 10 }, (_, c) => (c === target ? value : c)) };
    return { plan, accuracy: 0.9, ...(marked ? { retention: failed ? 0.4 : 1 } : {}), measured: { a: one, b: one } };
  });
  const { leftOut, counts, detectors } = familyResult(family, models, ["a", "b"], ["a", "b"]);
  expect(leftOut.map(({ id }) => id)).toEqual(["mnist-lenet5-fixed-0-content-scratch"]);
  expect(counts.fixed).toBe(6 * family.counts.fixed - 1);
  expect(detectors.map(({ detector }) => detector)).toEqual(["a", "b", "a", "b", TOGETHER]);
  for (const { by, auc, found, named } of detectors.filter((each) => each.by === "published")) {
    expect([by, auc, found.hits, found.of]).toEqual(["published", 1, counts.fixed, counts.fixed]);
    expect(named?.hits).toBe(counts.fixed);
  }
});
