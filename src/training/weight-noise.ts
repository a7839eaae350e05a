/** @file Gaussian noise on the weights of a model: what certified marks are trained and certified with. */

import type { RandomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";

/** A number for each element of each weight. */
export type PerWeight = ReadonlyMap<string, FloatTensor>;

/**
 * The same weights with independent Gaussian noise on those that are named, drawn in the order of the names.
 *
 * @param sigma standard deviation, in the weights' own units.
 */
export function withNoise(
  weights: PerWeight,
  names: readonly string[],
  sigma: number,
  random: RandomStream,
): PerWeight {
  const noisy = new Map(weights);
  for (const name of names) {
    const weight = weights.get(name);
    if (weight === undefined) throw new RangeError(`"${name}" is to have noise and is not among the weights`);
    const data = weight.data.map((value) => value + sigma * random.normal());
    noisy.set(name, float32(weight.dims, data));
  }
  return noisy;
}
