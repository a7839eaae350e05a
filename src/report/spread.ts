/** @file Several seeds as one number and its spread. */

import { mean, sampleStandardDeviation } from "../core/summary.js";

/** Mean, sample standard deviation and extremes of one or more numbers. */
export interface Spread {
  readonly n: number;
  readonly mean: number;
  /** With n − 1 in the denominator; 0 for a single value. */
  readonly sd: number;
  readonly min: number;
  readonly max: number;
}

/** The spread of a list, or undefined for an empty one. */
export function spread(values: readonly number[]): Spread | undefined {
  const n = values.length;
  if (n === 0) return undefined;
  const sd = n > 1 ? sampleStandardDeviation(values) : 0;
  return {
    n,
    mean: mean(values),
    // Equal values leave rounding noise behind.
    sd: sd < 1e-12 ? 0 : sd,
    min: Math.min(...values),
    max: Math.max(...values),
  };
}
