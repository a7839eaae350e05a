/** @file The rules of outliers give what NumPy and SciPy give, and stay finite where nothing stands out. */

import { describe, expect, test } from "vitest";
import {
  digamma,
  fittedGamma,
  gammaAnomaly,
  largest,
  logUpperGamma,
  medianDeviations,
  quartileAnomaly,
  trigamma,
} from "./outliers.js";

const ONE_OUT = [4.2, 3.9, 5.1, 4.4, 4.0, 12.5, 4.7, 3.8, 4.6, 4.1];
const EVEN = ONE_OUT.map((value) => (value === 12.5 ? 5.3 : value));

describe("special functions", () => {
  // scipy.special.digamma and polygamma(1, ·).
  test.each([
    [0.1, -10.423754940411076, 101.43329915079275],
    [1, -0.5772156649015329, 1.6449340668482266],
    [3.5, 1.103156640645243, 0.3303577561002349],
    [25, 3.198742512851974, 0.04081066325722558],
  ])("digamma and trigamma at %s", (x, first, second) => {
    expect(digamma(x)).toBeCloseTo(first, 9);
    expect(trigamma(x) / second).toBeCloseTo(1, 9);
  });

  // mpmath.log(mpmath.gammainc(a, x, inf, regularized=True)).
  test.each([
    [0.5, 0.2, -0.6403853769155964],
    [2, 1, -0.3068528194400547],
    [3.5, 30, -22.61403582427659],
    [100, 150, -12.036407454461646],
    [2, 800, -793.3141390529316],
  ])("log Q(%s, %s), far into the tail", (a, x, expected) => {
    expect(logUpperGamma(a, x) / expected).toBeCloseTo(1, 10);
  });
});

test("a Gamma distribution is fitted as by mpmath's root of the likelihood", () => {
  const { shape, rate } = fittedGamma(ONE_OUT.filter((value) => value !== 12.5));
  expect(shape).toBeCloseTo(118.73210096218247, 6);
  expect(rate).toBeCloseTo(27.540951254114486, 6);
});

test("gammaAnomaly is −log₁₀(1 − F(max)^K), with full precision in the tail", () => {
  expect(gammaAnomaly(ONE_OUT)).toBeCloseTo(43.77224186852107, 6);
  expect(gammaAnomaly(EVEN)).toBeCloseTo(1.0574960411276502, 8);
});

test("gammaAnomaly does not depend on the unit, nor on the order", () => {
  expect(gammaAnomaly(ONE_OUT.map((value) => 1000 * value))).toBeCloseTo(gammaAnomaly(ONE_OUT), 6);
  expect(gammaAnomaly(ONE_OUT.toReversed())).toBeCloseTo(gammaAnomaly(ONE_OUT), 6);
});

test("quartileAnomaly is numpy.percentile's", () => {
  expect(quartileAnomaly(ONE_OUT)).toBeCloseTo(12.038461538461549, 10);
});

test("medianDeviations are scipy.stats.median_abs_deviation's, times 1.4826", () => {
  const expected = [
    -0.19271164556474246, -0.7708465822589673, 1.5416931645179295, 0.19271164556474077, -0.5781349366942257,
    15.802354936308797, 0.7708465822589647, -0.9635582278237089, 0.5781349366942222, -0.3854232911294849,
  ];
  medianDeviations(ONE_OUT).forEach((value, i) => void expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 10));
});

test("numbers that are all the same, or not above 0, give finite values", () => {
  for (const values of [
    [1, 1, 1, 1],
    [0, 0, 0],
    [-3, -2, -1, 5],
    [1e-30, 2e-30, 1e-29],
  ]) {
    expect(Number.isFinite(gammaAnomaly(values))).toBe(true);
    expect(Number.isFinite(quartileAnomaly(values))).toBe(true);
    expect(medianDeviations(values).every(Number.isFinite)).toBe(true);
  }
  expect(quartileAnomaly([1, 1, 1])).toBe(0);
  expect(medianDeviations([1, 1, 1])).toEqual([0, 0, 0]);
});

test("the largest is the first of equals", () => {
  expect(largest([1, 3, 3, 2])).toBe(1);
});
