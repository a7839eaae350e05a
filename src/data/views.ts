/** @file Views of a batch: what a training step sees of its images, as they are or randomly erased. */

import type { z } from "zod";
import { chooseOptions } from "../core/options.js";
import type { RandomStream } from "../core/random.js";
import { packImages } from "./batches.js";
import { channelMeans, type ImageShape, type Images } from "./dataset.js";
import { alwaysErasing, eraseBatch, randomErasingSchema } from "./erasing.js";

/**
 * Writes one view of `count` images into `target`.
 *
 * @param clean the images, [count, C, H, W], values in [0, 1]
 * @param target of the same size
 * @param chosen which images of the feed's set they are
 * @param pass which time it is that they are seen
 */
export type View = (
  clean: Float32Array,
  target: Float32Array,
  shape: ImageShape,
  count: number,
  random: RandomStream,
  chosen: Uint32Array,
  pass: Pass,
) => void;

/** One pass over a set of images. */
export interface Pass {
  /** Counted from 1. */
  readonly epoch: number;
  /** The same in every pass: for what is drawn once for each image. */
  readonly always: RandomStream;
}

/** The only pass over images that are seen once. */
export const onlyPass = (random: RandomStream): Pass => ({ epoch: 1, always: random.stream("always") });

/** The images as they are. */
export const cleanView: View = (clean, target) => target.set(clean);

/** Each image's counterpart in another set of as many images in the same order: copies that were made beforehand. */
export function copiesView(copies: Images): View {
  return (_clean, target, _shape, _count, _random, chosen) => packImages(copies, chosen, target);
}

const published = randomErasingSchema.shape;

/**
 * Options of Random Erasing under names that stand beside other options (Zhong et al., AAAI 2020; their p is 0.5, WILD
 * always needs an erased copy).
 */
export const erasingShape = {
  eraseProbability: published.probability
    .default(alwaysErasing.probability)
    .describe(published.probability.description ?? ""),
  eraseAreaMin: published.areaMin,
  eraseAreaMax: published.areaMax,
  eraseAspectMin: published.aspectMin,
  eraseFill: published.fill.describe("what is written over the rectangle; mean: that of the images, for each channel"),
};

export type ErasingOptions = z.infer<z.ZodObject<typeof erasingShape>>;

/**
 * A randomly erased copy: one rectangle an image.
 *
 * @param images those that are trained on, whose mean colour `eraseFill` mean writes.
 * @throws WildmarkError `usage` where the smallest area is above the largest.
 */
export function erasedView(options: ErasingOptions, images: Images): View {
  const chosen = {
    probability: options.eraseProbability,
    areaMin: options.eraseAreaMin,
    areaMax: options.eraseAreaMax,
    aspectMin: options.eraseAspectMin,
    fill: options.eraseFill,
    ...(options.eraseFill === "mean" ? { mean: channelMeans(images) } : {}),
  };
  const erasing = chooseOptions(randomErasingSchema, chosen, "Random Erasing");
  return (clean, target, shape, count, random) => eraseBatch(clean, target, shape, count, erasing, random);
}
