/** @file Paired comparisons against values of SciPy and R, and against counting all signs by hand. */

import { describe, expect, test } from "vitest";
import { holm, meanRanks, signedRankTest } from "./comparison.js";
import { randomStream } from "./random.js";

/** The definition: the share of all 2ⁿ sign patterns whose rank sum lies at least as far from the middle. */
function byEnumeration(differences: readonly number[]): number {
  const moved = differences.filter((d) => d !== 0);
  const ranks = meanRanks(moved.map(Math.abs));
  const middle = ranks.reduce((a, b) => a + b, 0) / 2;
  const distance = (signs: readonly boolean[]): number =>
    Math.abs(ranks.reduce((sum, rank, i) => sum + (signs[i] === true ? rank : 0), 0) - middle);
  const found = distance(moved.map((d) => d > 0));
  let extreme = 0;
  for (let pattern = 0; pattern < 2 ** moved.length; pattern++) {
    if (distance(moved.map((_, i) => ((pattern >> i) & 1) === 1)) >= found - 1e-9) extreme += 1;
  }
  return extreme / 2 ** moved.length;
}

describe("Wilcoxon's signed-rank test", () => {
  // scipy.stats.wilcoxon(d, mode="exact"), SciPy 1.10.1: no ties, no zeros.
  test.each([
    [[6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75], 96, 0.041259765625],
    [[1, 2, 3, 4, 5], 15, 0.0625],
    [[-1, -2, -3, -4, -5, -6, 7], 7, 0.296875],
  ])("%j: the values of SciPy", (differences, statistic, pValue) => {
    const found = signedRankTest(differences);
    expect(found).toMatchObject({ n: differences.length, statistic });
    // Sums of powers of two: exact in binary.
    expect(found.pValue).toBe(pValue);
  });

  test("with ties and zeros it counts what counting all signs counts", () => {
    const random = randomStream(1);
    for (let trial = 0; trial < 60; trial++) {
      const differences = Array.from({ length: 1 + random.below(9) }, () => random.below(7) - 3);
      if (differences.every((d) => d === 0)) continue;
      expect(signedRankTest(differences).pValue, differences.join()).toBeCloseTo(byEnumeration(differences), 12);
    }
  });

  test("where nothing differs, nothing speaks against the null hypothesis", () => {
    expect(signedRankTest([0, 0])).toEqual({ n: 0, statistic: 0, pValue: 1 });
    expect(signedRankTest([])).toEqual({ n: 0, statistic: 0, pValue: 1 });
  });

  test("turning all signs changes the side and not the p-value", () => {
    const differences = [0.3, -0.1, 0.7, 0.7, -0.2, 0.9];
    const turned = signedRankTest(differences.map((d) => -d));
    expect(turned.pValue).toBe(signedRankTest(differences).pValue);
    expect(turned.statistic).toBe(21 - signedRankTest(differences).statistic);
  });

  test("hundreds of pairs keep their precision", () => {
    const all = Array.from({ length: 200 }, (_, i) => i + 1);
    expect(signedRankTest(all).pValue / 2 ** -199).toBeCloseTo(1, 9);
  });
});

test("Holm's adjustment: the values of R's p.adjust", () => {
  // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
  expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(12)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([0.6, 0.7])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});

test("ranks from 1, ties at their mean", () => {
  expect(meanRanks([10, 30, 20, 20])).toEqual([1, 4, 2.5, 2.5]);
  expect(meanRanks([5, 5, 5])).toEqual([2, 2, 2]);
  expect(meanRanks([])).toEqual([]);
});
