/**
 * @file Random Erasing: a rectangle of an image is overwritten.
 *
 * Zhong, Zheng, Kang, Li, Yang: "Random Erasing Data Augmentation", AAAI 2020, algorithm 1. Area and aspect ratio of
 * the rectangle are uniform; it is drawn again until it fits. The loop stands in the hot path of training: it copies a
 * batch once and then touches erased pixels only.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { RandomStream } from "../core/random.js";
import { type ImageShape, imageSize } from "./dataset.js";

/** What an erased rectangle can be filled with. */
export const randomErasingFills = ["random", "black", "white", "mean"] as const;

/** Options of Random Erasing; the defaults are the published ones. */
export const randomErasingSchema = z
  .object({
    probability: z.number().min(0).max(1).default(0.5).describe("share of images that are erased"),
    areaMin: z.number().gt(0).max(1).default(0.02).describe("smallest erased share of the image's area (sl)"),
    areaMax: z.number().gt(0).max(1).default(0.4).describe("largest erased share of the image's area (sh)"),
    aspectMin: z
      .number()
      .gt(0)
      .max(1)
      .default(0.3)
      .describe("smallest height / width; the largest is its inverse (r1)"),
    fill: z.enum(randomErasingFills).default("random").describe("what is written over the rectangle"),
    mean: z
      .array(z.number().min(0).max(1))
      .min(1)
      .default([0.5])
      .describe("what fill mean writes: a value for each channel, the last one for those that follow"),
    attempts: z.int().min(1).default(100).describe("draws until a rectangle fits, else the image stays whole"),
  })
  .refine(({ areaMin, areaMax }) => areaMin <= areaMax, {
    path: ["areaMin"],
    error: "areaMin must not be above areaMax",
  });

export type RandomErasingOptions = Readonly<z.infer<typeof randomErasingSchema>>;

/** The published parameters: half of the images, 2 to 40 % of the area, aspect 0.3 to 1/0.3, random per pixel. */
export const randomErasingDefaults: RandomErasingOptions = randomErasingSchema.parse({});

/** The published parameters, but every image is erased: what a loss over pairs (image, erased copy) needs. */
export const alwaysErasing: RandomErasingOptions = { ...randomErasingDefaults, probability: 1 };

/** Rectangle in pixels, within the image. */
export interface Rectangle {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Copies `count` images from `source` to `target`, NCHW in [0, 1], and erases one rectangle (all channels) of each with
 * probability `options.probability`. `source` and `target` may be the same array.
 *
 * Random fill is uniform over the 256 levels that image files have, drawn for each pixel and channel.
 *
 * @throws WildmarkError `usage` when an array is too short for `count` images.
 */
export function eraseBatch(
  source: Float32Array,
  target: Float32Array,
  shape: ImageShape,
  count: number,
  options: RandomErasingOptions,
  random: RandomStream,
): void {
  const size = imageSize(shape);
  const floats = count * size;
  if (source.length < floats || target.length < floats) {
    throw new WildmarkError(
      "usage",
      `${count} images take ${floats} floats; the source holds ${source.length}, the target ${target.length}`,
    );
  }
  if (source !== target) target.set(source.length === floats ? source : source.subarray(0, floats));
  for (let image = 0; image < count; image++) {
    if (options.probability < 1 && random.uniform() >= options.probability) continue;
    const rectangle = drawRectangle(shape, options, random);
    if (rectangle !== undefined) fillRectangle(target, image * size, shape, rectangle, options, random);
  }
}

/**
 * Draws the rectangle to erase: smaller than the image in both directions, at a uniform place.
 *
 * @returns undefined when none of `options.attempts` draws fits, as the published code has it.
 */
export function drawRectangle(
  shape: ImageShape,
  options: RandomErasingOptions,
  random: RandomStream,
): Rectangle | undefined {
  const { areaMin, areaMax, aspectMin } = options;
  const pixels = shape.height * shape.width;
  for (let attempt = 0; attempt < options.attempts; attempt++) {
    const area = between(areaMin, areaMax, random) * pixels;
    const aspect = between(aspectMin, 1 / aspectMin, random);
    const height = Math.max(1, Math.round(Math.sqrt(area * aspect)));
    const width = Math.max(1, Math.round(Math.sqrt(area / aspect)));
    if (height >= shape.height || width >= shape.width) continue;
    const top = random.below(shape.height - height + 1);
    const left = random.below(shape.width - width + 1);
    return { top, left, height, width };
  }
  return undefined;
}

function between(low: number, high: number, random: RandomStream): number {
  return low + (high - low) * random.uniform();
}

function fillRectangle(
  target: Float32Array,
  start: number,
  shape: ImageShape,
  rectangle: Rectangle,
  options: RandomErasingOptions,
  random: RandomStream,
): void {
  const { top, left, height, width } = rectangle;
  for (let channel = 0; channel < shape.channels; channel++) {
    const corner = start + (channel * shape.height + top) * shape.width + left;
    for (let row = 0; row < height; row++) {
      const begin = corner + row * shape.width;
      if (options.fill === "random") fillRandom(target, begin, begin + width, random);
      else target.fill(constantFill(options, channel), begin, begin + width);
    }
  }
}

function constantFill({ fill, mean }: RandomErasingOptions, channel: number): number {
  if (fill === "mean") return mean[Math.min(channel, mean.length - 1)] ?? 0;
  return fill === "white" ? 1 : 0;
}

/** The 256 levels of an image file, as float32. */
const levels = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** One draw of 32 bits serves four pixels. */
function fillRandom(target: Float32Array, begin: number, end: number, random: RandomStream): void {
  let bits = 0;
  for (let at = begin; at < end; at++) {
    if (((at - begin) & 3) === 0) bits = (random.uniform() * 2 ** 32) >>> 0;
    target[at] = levels[bits & 255] ?? 0;
    bits >>>= 8;
  }
}
