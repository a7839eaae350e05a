/**
 * @file From a set of images to float batches: packing, unpacking, and the order of an epoch.
 *
 * Everything here runs once a training step, so buffers belong to the caller and are filled, never allocated.
 */

import { WildmarkError } from "../core/errors.js";
import { permutation, type RandomStream } from "../core/random.js";
import { type Images, imageAt, imageSize } from "./dataset.js";

/** For every byte, byte · SCALE and byte / 255 are the same float32. */
const SCALE = 1 / 255;

/**
 * Writes the images at `indices` into `target` as float32 in [0, 1], one after the other.
 *
 * @param target at least `indices.length · channels · height · width` long; what lies beyond is left alone.
 * @throws WildmarkError `bad-data` when an index lies outside the set, `usage` when `target` is too short.
 */
export function packImages(images: Images, indices: ArrayLike<number>, target: Float32Array): void {
  const size = imageSize(images.shape);
  if (target.length < indices.length * size) {
    throw new WildmarkError(
      "usage",
      `a batch of ${indices.length} images takes ${indices.length * size} floats, the buffer holds ${target.length}`,
    );
  }
  // Bytes are made floats by the engine's own copy: together with the multiplication half of the time of a loop over
  // both.
  for (let i = 0; i < indices.length; i++) target.set(imageAt(images, indices[i] ?? -1), i * size);
  const end = indices.length * size;
  for (let at = 0; at < end; at++) target[at] = (target[at] ?? 0) * SCALE;
}

/** The way back: floats to bytes, clamped to [0, 1] and rounded to the nearest of 256 levels. */
export function unpackImages(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, (value) => Math.round(Math.min(1, Math.max(0, value)) * 255));
}

/** Number of batches in one epoch; the last one is filled up. */
export function stepsPerEpoch(count: number, batchSize: number): number {
  return Math.ceil(count / batchSize);
}

/**
 * One epoch over 0 … count − 1 in random order: `stepsPerEpoch · batchSize` indices, a batch after the other.
 *
 * Every image occurs in the first permutation, so each is seen at least once an epoch. An incomplete last batch is
 * filled with the first indices of a further permutation (and so on, where the whole set is smaller than a batch):
 * batches keep their size, because a compiled training step has a fixed one.
 *
 * @throws WildmarkError `usage` unless both numbers are positive integers.
 */
export function epochOrder(count: number, batchSize: number, random: RandomStream): Uint32Array<ArrayBuffer> {
  for (const [name, value] of Object.entries({ count, batchSize })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new WildmarkError("usage", `an epoch needs a positive integer ${name}, found ${value}`);
    }
  }
  const order = new Uint32Array(stepsPerEpoch(count, batchSize) * batchSize);
  for (let filled = 0; filled < order.length; filled += count) {
    order.set(permutation(count, random).subarray(0, order.length - filled), filled);
  }
  return order;
}

/** The batches of `epochOrder`, as views of it: they stay valid while later ones are drawn. */
export function* epochBatches(count: number, batchSize: number, random: RandomStream): Generator<Uint32Array> {
  const order = epochOrder(count, batchSize, random);
  for (let start = 0; start < order.length; start += batchSize) yield order.subarray(start, start + batchSize);
}
