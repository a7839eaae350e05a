/**
 * @file Summaries on numbers small enough to check by hand, and the bootstrap's seed and coverage.
 */

import { expect, test } from "vitest";
import { randomStream } from "./random.js";
import { bootstrapInterval, mean, median, quantile, sampleStandardDeviation } from "./summary.js";

test("mean, standard deviation, median and quantiles of small samples", () => {
  expect(mean([1, 2, 6])).toBe(3);
  expect(sampleStandardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toBeCloseTo(Math.sqrt(32 / 7), 14);
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 9, 1, 2])).toBe(5.5);
  expect(quantile([3, 1, 2], 0)).toBe(1);
  expect(quantile([3, 1, 2], 0.25)).toBe(1.5);
  expect(quantile([3, 1, 2], 1)).toBe(3);
});

test("what is undefined is an error, not a NaN", () => {
  expect(() => mean([])).toThrow(RangeError);
  expect(() => sampleStandardDeviation([1])).toThrow(RangeError);
  expect(() => quantile([], 0.5)).toThrow(RangeError);
  expect(() => quantile([1], 1.5)).toThrow(RangeError);
  expect(() => bootstrapInterval([], { random: randomStream(1) })).toThrow(RangeError);
});

test("the bootstrap repeats with its seed, leaves its input alone, and one value has no width", () => {
  const values = [3.1, 1.7, 2.22, 5.05, 4.4, 0.3, 9.9];
  const interval = (seed: number) =>
    bootstrapInterval(values, { random: randomStream(seed, "bootstrap"), resamples: 997 });
  expect(interval(1)).toEqual(interval(1));
  expect(interval(1)).not.toEqual(interval(2));
  expect(values).toEqual([3.1, 1.7, 2.22, 5.05, 4.4, 0.3, 9.9]);
  expect(bootstrapInterval([7], { random: randomStream(1), resamples: 10 })).toEqual([7, 7]);
});

test("the bootstrap interval of a mean agrees with the normal one on a large sample", () => {
  const random = randomStream(4);
  const values = Array.from({ length: 400 }, () => random.normal());
  const [low, high] = bootstrapInterval(values, { random, resamples: 2000 });
  const error = sampleStandardDeviation(values) / Math.sqrt(values.length);
  // The outer quantiles of 2,000 resamples scatter by about 6 % of the standard error.
  expect(Math.abs(low - (mean(values) - 1.96 * error))).toBeLessThan(0.25 * error);
  expect(Math.abs(high - (mean(values) + 1.96 * error))).toBeLessThan(0.25 * error);
});
