/**
 * @file Kernels that whiten patches of images: what a first layer, which then stays as it is, starts with (Page, "How
 * to Train Your ResNet 8", 2019; Jordan, arXiv:2404.00498, section 3.1).
 */

import { symmetricEigen } from "../core/eigen.js";
import { at } from "../core/lists.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";

/** What is added to each eigenvalue, in units of the normalised pixels' variance. */
const EPSILON = 5e-4;

/** A channel that is the same in all images is not divided by nothing. */
const LEAST_DEVIATION = 1 / 255;

export interface Whitening {
  /** [2 · C · k², C, k, k]: each eigenvector of the patches' covariance over the root of its eigenvalue, and its negative. */
  readonly kernels: FloatTensor;
  /** [2 · C · k²]: what is added so that kernels see pixels from which the mean of their channel was taken. */
  readonly shift: FloatTensor;
}

/**
 * Pixels count as normalised by each channel's mean and standard deviation; that is part of kernels and shift.
 *
 * @param images.pixels [count, C, H, W], values in [0, 1]
 * @param size k, of the square patches, which may overlap.
 */
export function whitening(
  images: { readonly pixels: Float32Array; readonly dims: readonly [number, number, number, number] },
  size: number,
): Whitening {
  const { pixels, dims } = images;
  const [, channels, height, width] = dims;
  const plane = height * width;
  const { mean, deviation } = channelMoments(images);
  /** Of an element of a patch: its channel, and where it lies behind the patch's first pixel in an image. */
  const places = Array.from({ length: channels * size * size }, (_, i) => {
    const channel = Math.floor(i / (size * size));
    const [row, column] = [Math.floor((i % (size * size)) / size), i % size];
    return { channel, offset: channel * plane + row * width + column };
  });
  const n = places.length;
  const sums = new Float64Array(n * n);
  const patch = new Float64Array(n);
  for (let start = 0; start < pixels.length; start += channels * plane) {
    for (let row = 0; row + size <= height; row++) {
      for (let column = 0; column + size <= width; column++) {
        const first = start + row * width + column;
        for (let i = 0; i < n; i++) {
          const { channel, offset } = at(places, i);
          patch[i] = ((pixels[first + offset] ?? 0) - at(mean, channel)) / at(deviation, channel);
        }
        for (let i = 0; i < n; i++) {
          for (let j = 0; j <= i; j++) sums[i * n + j] = (sums[i * n + j] ?? 0) + (patch[i] ?? 0) * (patch[j] ?? 0);
        }
      }
    }
  }
  const patches = (pixels.length / (channels * plane)) * (height - size + 1) * (width - size + 1);
  const covariance = places.map((_, i) =>
    places.map((__, j) => (sums[Math.max(i, j) * n + Math.min(i, j)] ?? 0) / patches),
  );
  const half = symmetricEigen(covariance).map(({ value, vector }) =>
    vector.map((element) => element / Math.sqrt(Math.max(0, value) + EPSILON)),
  );
  const rows = [...half, ...half.map((row) => row.map((element) => -element))].map((row) =>
    row.map((element, i) => element / at(deviation, at(places, i).channel)),
  );
  const shift = rows.map((row) => -row.reduce((sum, element, i) => sum + element * at(mean, at(places, i).channel), 0));
  return {
    kernels: float32([2 * n, channels, size, size], rows.flat()),
    shift: float32([2 * n], shift),
  };
}

function channelMoments({ pixels, dims }: Parameters<typeof whitening>[0]) {
  const [count, channels, height, width] = dims;
  const plane = height * width;
  const [sums, squares] = [new Float64Array(channels), new Float64Array(channels)];
  for (let i = 0; i < elementCount(dims); i++) {
    const channel = Math.floor(i / plane) % channels;
    const value = pixels[i] ?? 0;
    sums[channel] = (sums[channel] ?? 0) + value;
    squares[channel] = (squares[channel] ?? 0) + value * value;
  }
  const mean = Array.from(sums, (sum) => sum / (count * plane));
  const deviation = Array.from(squares, (square, c) => {
    const variance = square / (count * plane) - at(mean, c) ** 2;
    return Math.max(LEAST_DEVIATION, Math.sqrt(Math.max(0, variance)));
  });
  return { mean, deviation };
}
