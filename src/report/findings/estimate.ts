/** @file Values over seeds or cells as one number: its spread, and how far the mean itself can be trusted. */

import { randomStream } from "../../core/random.js";
import { bootstrapInterval } from "../../core/summary.js";
import { type Spread, spread } from "../spread.js";

/** A mean with its spread and its 95 % bootstrap interval. */
export interface Estimate extends Spread {
  readonly low: number;
  readonly high: number;
}

/**
 * Over a handful of values the interval is too narrow, as every bootstrap is: `n` stands beside it.
 *
 * @param name of the stream that resamples, so that an interval depends on nothing but its own values.
 * @returns undefined for no values.
 */
export function estimate(values: readonly number[], name: string): Estimate | undefined {
  const found = spread(values);
  if (found === undefined) return undefined;
  if (found.min === found.max) return { ...found, low: found.mean, high: found.mean };
  const [low, high] = bootstrapInterval(values, { random: randomStream(0, "bench", name), resamples: 2000 });
  return { ...found, low, high };
}
