/**
 * @file Labelled images as plain data, and the checks they must pass before anything is trained on them.
 *
 * Pixels stay 8-bit, as files hold them, until a batch is packed: a quarter of the memory, and one exact hash. Where
 * they lie is for `pixels.ts` to know; everybody else asks for one image at a time.
 */

import { createHash, type Hash } from "node:crypto";
import { WildmarkError } from "../core/errors.js";
import { describeShape, type ImageShape } from "../core/image.js";
import { requireConvertible } from "./convert.js";
import { inMemory, type PixelSource, pick, pixelCount, readPixels } from "./pixels.js";
import { defined } from "../core/defined.js";

/** Labels are 16-bit numbers. */
export const MAX_CLASSES = 65_536;

export type { ImageShape };

/** 8-bit images without labels, NCHW, row-major: pixel values 0..255. */
export interface Images {
  readonly shape: ImageShape;
  readonly count: number;
  /** `count · channels · height · width` bytes. */
  readonly pixels: PixelSource;
  /** What casts doubt on where they come from, a sentence each; documents repeat it. Absent: nothing known. */
  readonly doubts?: readonly string[];
}

/** Labelled 8-bit images. */
export interface LabelledImages extends Images {
  /** Labels lie in 0 … classes − 1; at most 65,536. */
  readonly classes: number;
  /** `count` labels. */
  readonly labels: Uint16Array;
}

/** A data set with its two splits, which have the same shape and classes. */
export interface Dataset {
  readonly id: string;
  readonly title: string;
  readonly train: LabelledImages;
  readonly test: LabelledImages;
  /** What the classes are called, in the order of the labels; strangers' text where the data is a stranger's. */
  readonly classNames?: readonly string[];
  /** What casts doubt on the data, a sentence each, which documents and reports repeat; absent: nothing known. */
  readonly doubts?: readonly string[];
  /** Hex SHA-256 over shape, classes, images and labels of both splits. */
  readonly sha256: string;
}

/** Number of pixels of one image, all channels. */
export function imageSize(shape: ImageShape): number {
  return shape.channels * shape.height * shape.width;
}

/**
 * The bytes of one image: a view to read, valid until the next call.
 *
 * @throws WildmarkError `bad-data` when there is no such image, `bad-file` when its file can no longer be read.
 */
export function imageAt(images: Images, index: number): Uint8Array {
  if (!(index >= 0 && index < images.count && Number.isInteger(index))) throw outside(index, images.count);
  return readPixels(images.pixels, index, imageSize(images.shape));
}

/**
 * The images at `indices`, in that order; an index may occur more than once. Pixels are not copied.
 *
 * @throws WildmarkError `bad-data` when an index lies outside the set.
 */
export function select(images: LabelledImages, indices: ArrayLike<number>): LabelledImages {
  const labels = Uint16Array.from({ length: indices.length }, (_, i) => images.labels[indices[i] ?? -1] ?? 0);
  return { ...selectImages(images, indices), classes: images.classes, labels };
}

/** The same of images without labels. */
export function selectImages(images: Images, indices: ArrayLike<number>): Images {
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i] ?? -1;
    if (!(index >= 0 && index < images.count && Number.isInteger(index))) throw outside(index, images.count);
  }
  return { shape: images.shape, count: indices.length, pixels: pick(images.pixels, Uint32Array.from(indices)) };
}

/**
 * The same images in another shape; see `convertImage`. They are converted when they are asked for, one at a time.
 *
 * @throws WildmarkError `bad-data` where channels are neither equal nor one nor three to one.
 */
export function convertImages(images: Images, shape: ImageShape): Images {
  requireConvertible(images.shape, shape);
  const { count, pixels } = images;
  if (describeShape(images.shape) === describeShape(shape)) return { shape, count, pixels };
  return { shape, count, pixels: { kind: "converted", from: pixels, was: images.shape, shape } };
}

/** The mean of each channel over all images, in [0, 1]. */
export function channelMeans(images: Images): number[] {
  const { channels, height, width } = images.shape;
  const sums = new Array<number>(channels).fill(0);
  for (let i = 0; i < images.count; i++) {
    const pixels = imageAt(images, i);
    for (let at = 0; at < pixels.length; at++) {
      const channel = Math.floor(at / (height * width));
      sums[channel] = (sums[channel] ?? 0) + (pixels[at] ?? 0);
    }
  }
  return sums.map((sum) => sum / (255 * images.count * height * width));
}

/** A copy of all pixels, one image after the other: for sets that are small, such as a key's. */
export function copyPixels(images: Images): Uint8Array {
  const size = imageSize(images.shape);
  const bytes = new Uint8Array(images.count * size);
  for (let i = 0; i < images.count; i++) bytes.set(imageAt(images, i), i * size);
  return bytes;
}

/** The same images with their pixels in memory of their own. */
export function copied<T extends Images>(images: T): T {
  return { ...images, pixels: inMemory(copyPixels(images)) };
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
  if (classes > MAX_CLASSES) {
    throw new WildmarkError(
      "bad-data",
      `${what}: ${classes} classes are more than the ${MAX_CLASSES} that labels tell apart`,
    );
  }
  if (count === 0) throw new WildmarkError("bad-data", `${what}: the set is empty`);
  if (labels.length !== count) {
    throw new WildmarkError("bad-data", `${what}: expected ${count} labels, found ${labels.length}`, {
      hint: "images and labels must come from the same split of the same data set",
    });
  }
  const expected = count * imageSize(shape);
  const found = pixelCount(images.pixels, imageSize(shape));
  if (found !== expected) {
    const { channels, height, width } = shape;
    throw new WildmarkError(
      "bad-data",
      `${what}: ${count} images of ${channels}x${height}x${width} take ${expected} bytes, found ${found}`,
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
  const { classNames, doubts = [] } = parts;
  return {
    ...{ id, title, train, test },
    ...defined({ classNames }),
    ...(doubts.length === 0 ? {} : { doubts }),
    sha256: hashImages([train, test]),
  };
}

/** Hex SHA-256 over shape, classes, count, images and labels of each set in turn. */
export function hashImages(sets: readonly LabelledImages[]): string {
  const hash = createHash("sha256");
  for (const set of sets) {
    hash.update(`${set.count} of ${describe(set)}\n`);
    hashPixels(set, hash);
    // Labels that fit into bytes are hashed as bytes: so they were before there could be more than 256 classes.
    hash.update(set.classes <= 256 ? Uint8Array.from(set.labels) : new Uint8Array(littleEndian(set.labels)));
  }
  return hash.digest("hex");
}

/** Feeds all pixels to a hash, an image at a time. */
export function hashPixels(images: Images, hash: Hash): void {
  for (let i = 0; i < images.count; i++) hash.update(imageAt(images, i));
}

function littleEndian(labels: Uint16Array): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(labels.length * 2));
  labels.forEach((label, i) => {
    view.setUint16(i * 2, label, true);
  });
  return view.buffer;
}

function describe({ shape, classes }: LabelledImages): string {
  return `${shape.channels}x${shape.height}x${shape.width} in ${classes} classes`;
}

/** The same images, all with one label. */
export function relabel(images: LabelledImages, label: number): LabelledImages {
  return { ...images, labels: new Uint16Array(images.count).fill(label) };
}
