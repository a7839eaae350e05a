/**
 * @file Labelled images as plain data, and the checks they must pass before anything is trained on them.
 *
 * Pixels stay 8-bit, as files hold them, until a batch is packed: a quarter of the memory, and one exact hash.
 */

import { createHash } from "node:crypto";
import { WildmarkError } from "../core/errors.js";

/** The shape of one image: grey has one channel, colour three. */
export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** 8-bit images without labels, NCHW, row-major: pixel values 0..255. */
export interface Images {
  readonly shape: ImageShape;
  readonly count: number;
  /** `count · channels · height · width` pixels. */
  readonly images: Uint8Array;
}

/** Labelled 8-bit images. */
export interface LabelledImages extends Images {
  /** Labels lie in 0 … classes − 1; at most 256. */
  readonly classes: number;
  /** `count` labels. */
  readonly labels: Uint8Array;
}

/** A data set with its two splits, which have the same shape and classes. */
export interface Dataset {
  readonly id: string;
  readonly title: string;
  readonly train: LabelledImages;
  readonly test: LabelledImages;
  /** Hex SHA-256 over shape, classes, images and labels of both splits. */
  readonly sha256: string;
}

/** Number of pixels of one image, all channels. */
export function imageSize(shape: ImageShape): number {
  return shape.channels * shape.height * shape.width;
}

/**
 * Copies the images at `indices`, in that order; an index may occur more than once.
 *
 * @throws WildmarkError `bad-data` when an index lies outside the set.
 */
export function select(images: LabelledImages, indices: ArrayLike<number>): LabelledImages {
  const labels = Uint8Array.from({ length: indices.length }, (_, i) => images.labels[indices[i] ?? -1] ?? 0);
  return { ...selectImages(images, indices), classes: images.classes, labels };
}

/** The same of images without labels. */
export function selectImages(images: Images, indices: ArrayLike<number>): Images {
  const size = imageSize(images.shape);
  const pixels = new Uint8Array(indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i] ?? -1;
    if (!(index >= 0 && index < images.count && Number.isInteger(index))) throw outside(index, images.count);
    pixels.set(images.images.subarray(index * size, (index + 1) * size), i * size);
  }
  return { shape: images.shape, count: indices.length, images: pixels };
}

/** The error for an index that is no image of a set of `count`. */
export function outside(index: number, count: number): WildmarkError {
  return new WildmarkError("bad-data", `image ${index} was asked of a set that holds 0 to ${count - 1}`);
}

/**
 * Returns `images` when it is fit to be used.
 *
 * @param what what the images are, for the message: "the training images of mnist".
 * @throws WildmarkError `bad-data` on an empty set, lengths that disagree, or a label that is not below `classes`.
 */
export function validate(images: LabelledImages, what: string): LabelledImages {
  const { shape, classes, count, labels } = images;
  for (const [name, value] of Object.entries({ ...shape, classes })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new WildmarkError("bad-data", `${what}: ${name} must be a positive integer, found ${value}`);
    }
  }
  if (classes > 256) throw new WildmarkError("bad-data", `${what}: labels are bytes, so ${classes} classes do not fit`);
  if (count === 0) throw new WildmarkError("bad-data", `${what}: the set is empty`);
  if (labels.length !== count) {
    throw new WildmarkError("bad-data", `${what}: expected ${count} labels, found ${labels.length}`, {
      hint: "images and labels must come from the same split of the same data set",
    });
  }
  const expected = count * imageSize(shape);
  if (images.images.length !== expected) {
    const { channels, height, width } = shape;
    throw new WildmarkError(
      "bad-data",
      `${what}: ${count} images of ${channels}x${height}x${width} take ${expected} bytes, found ${images.images.length}`,
    );
  }
  const stray = labels.findIndex((label) => label >= classes);
  if (stray >= 0) {
    throw new WildmarkError(
      "bad-data",
      `${what}: label ${stray} is ${labels[stray]}, expected one of 0 to ${classes - 1}`,
      { hint: "check that the label file belongs to this data set" },
    );
  }
  return images;
}

/**
 * Checks both splits and joins them into a data set with its hash.
 *
 * @throws WildmarkError `bad-data` when a split is unfit or the two disagree in shape or classes.
 */
export function makeDataset(parts: Omit<Dataset, "sha256">): Dataset {
  const { id, title } = parts;
  const train = validate(parts.train, `the training images of ${id}`);
  const test = validate(parts.test, `the test images of ${id}`);
  if (describe(train) !== describe(test)) {
    throw new WildmarkError(
      "bad-data",
      `${id}: the training images are ${describe(train)}, the test images ${describe(test)}`,
      { hint: "both splits must come from the same data set" },
    );
  }
  return { id, title, train, test, sha256: hashImages([train, test]) };
}

/** Hex SHA-256 over shape, classes, count, images and labels of each set in turn. */
export function hashImages(sets: readonly LabelledImages[]): string {
  const hash = createHash("sha256");
  for (const set of sets)
    hash
      .update(`${set.count} of ${describe(set)}\n`)
      .update(set.images)
      .update(set.labels);
  return hash.digest("hex");
}

function describe({ shape, classes }: LabelledImages): string {
  return `${shape.channels}x${shape.height}x${shape.width} in ${classes} classes`;
}

/** The same images, all with one label. */
export function relabel(images: LabelledImages, label: number): LabelledImages {
  return { ...images, labels: new Uint8Array(images.count).fill(label) };
}
