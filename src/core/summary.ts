/**
 * @file Summaries of a few numbers: mean, standard deviation, quantiles, and a bootstrap interval over seeds.
 *
 * What is undefined (the mean of nothing, the spread of one number) is a `RangeError`, never a NaN that would travel
 * into a result document.
 */

import type { RandomStream } from "./random.js";

/** Arithmetic mean of at least one value. */
export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("the mean needs at least one value");
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** Standard deviation of a sample (divisor n − 1), two passes; needs at least two values. */
export function sampleStandardDeviation(values: readonly number[]): number {
  if (values.length < 2) throw new RangeError("a sample standard deviation needs at least two values");
  const centre = mean(values);
  let sum = 0;
  for (const value of values) sum += (value - centre) ** 2;
  return Math.sqrt(sum / (values.length - 1));
}

/**
 * The q-quantile, q in [0, 1], by linear interpolation between order statistics (Hyndman and Fan's type 7, the default
 * of NumPy and R).
 */
export function quantile(values: readonly number[], q: number): number {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`a quantile needs q in [0, 1], got ${q}`);
  const sorted = Float64Array.from(values).sort();
  const position = q * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError("a quantile needs at least one value");
  return below + (above - below) * (position - Math.floor(position));
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * Percentile bootstrap interval: the statistic of `resamples` samples drawn with replacement, between its outer
 * quantiles. (B. Efron, "Bootstrap methods: another look at the jackknife", 1979.) With a handful of values it is
 * too narrow, as every bootstrap is; say how many values there were beside it.
 *
 * @param values at least one value.
 * @param options.random where the draws come from: the same stream gives the same interval.
 * @param options.statistic what to estimate; the mean by default.
 * @param options.confidence in (0, 1), 0.95 by default.
 * @param options.resamples number of samples drawn, 10,000 by default.
 * @returns lower and upper end.
 */
export function bootstrapInterval(
  values: readonly number[],
  options: {
    readonly random: RandomStream;
    readonly statistic?: (sample: readonly number[]) => number;
    readonly confidence?: number;
    readonly resamples?: number;
  },
): readonly [number, number] {
  const { random, statistic = mean, confidence = 0.95, resamples = 10_000 } = options;
  if (values.length === 0) throw new RangeError("a bootstrap needs at least one value");
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence must lie in (0, 1), got ${confidence}`);
  const estimates = Array.from({ length: resamples }, () =>
    statistic(values.map(() => values[random.below(values.length)] ?? Number.NaN)),
  );
  const tail = (1 - confidence) / 2;
  return [quantile(estimates, tail), quantile(estimates, 1 - tail)];
}
