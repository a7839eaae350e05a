/** @file Mean and standard deviation of the pixels of a set of images: what many models were trained to take off. */

import type { PixelStatistics } from "../onnx/readings.js";
import { type Images, imageAt } from "./dataset.js";
import { evenly } from "./spread.js";

/**
 * Enough for a mean within a grey level where images differ by as much as photographs do; readings are told apart by
 * two.
 */
const COUNTED = 2000;

/** Images that have to be read and brought to size one by one cost too much for so many. */
const COUNTED_FROM_FILES = 1000;

/** Over all pixels of up to 2,000 images (1,000 that are read from files), spread evenly over the set, in [0, 1]. */
export function pixelStatistics(images: Images): PixelStatistics {
  const { channels, height, width } = images.shape;
  const area = height * width;
  const inMemory =
    images.pixels.kind === "memory" || (images.pixels.kind === "picked" && images.pixels.from.kind === "memory");
  const chosen = evenly(images.count, inMemory ? COUNTED : COUNTED_FROM_FILES);
  // Sums of bytes and of their squares are whole numbers far below 2^53.
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (const index of chosen) {
    const pixels = imageAt(images, index);
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      let square = 0;
      for (let at = channel * area; at < (channel + 1) * area; at++) {
        const value = pixels[at] ?? 0;
        sum += value;
        square += value * value;
      }
      sums[channel] = (sums[channel] ?? 0) + sum;
      squares[channel] = (squares[channel] ?? 0) + square;
    }
  }
  const count = chosen.length * area;
  const moments = (sum: number, square: number, n: number) => {
    const mean = sum / n;
    return { mean: mean / 255, std: Math.sqrt(Math.max(0, square / n - mean * mean)) / 255 };
  };
  const each = Array.from(sums, (sum, channel) => moments(sum, squares[channel] ?? 0, count));
  const total = (values: Float64Array): number => values.reduce((all, value) => all + value, 0);
  return {
    mean: each.map(({ mean }) => mean),
    std: each.map(({ std }) => std),
    overall: moments(total(sums), total(squares), channels * count),
  };
}
