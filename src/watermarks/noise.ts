/** @file Noise-based mark: a secret pattern of Gaussian noise on images (Zhang et al., AsiaCCS 2018). */

import { z } from "zod";
import type { RandomStream } from "../core/random.js";
import { imageSize } from "../data/dataset.js";
import { labelBoostShape } from "./labels.js";
import type { MarkScheme } from "./scheme.js";
import { publishedStamp, type Stamp, stampedShape, stampedTriggers } from "./stamped.js";

const options = z.strictObject({
  ...stampedShape,
  sigma: z.number().gt(0).max(1).default(0.3).describe("standard deviation, in units of the pixel range"),
  pattern: z.enum(["fixed", "fresh"]).default("fixed").describe("one secret pattern, or fresh noise for every image"),
  ...labelBoostShape,
});

export const noise: MarkScheme<z.infer<typeof options>> = {
  id: "noise",
  title: "noise",
  summary: "Images with a secret pattern of Gaussian noise, each answered with a class drawn for it.",
  paper:
    "Zhang, Gu, Jang, Wu, Stoecklin, Huang, Molloy: Protecting Intellectual Property of Deep Neural " +
    "Networks. AsiaCCS 2018",
  published: publishedStamp,
  options,
  make(owner, chosen) {
    const random = owner.random.stream("noise");
    const size = imageSize(owner.train.shape);
    const shared = pattern(size, chosen.sigma, random.stream("pattern"));
    const own: Stamp = (pixels, index) =>
      add(pixels, chosen.pattern === "fixed" ? shared : pattern(size, chosen.sigma, random.stream(index)));
    const other: Stamp = (pixels, index) =>
      add(pixels, pattern(size, chosen.sigma, random.stream("placebos").stream(index)));
    return stampedTriggers(owner, chosen, { own, other });
  },
};

function pattern(size: number, sigma: number, random: RandomStream): Float64Array {
  return Float64Array.from({ length: size }, () => random.normal() * sigma * 255);
}

/** Adds and clamps to the pixel range, rounding to the nearest level. */
function add(pixels: Uint8Array, values: Float64Array): void {
  values.forEach((value, i) => {
    pixels[i] = Math.min(255, Math.max(0, Math.round((pixels[i] ?? 0) + value)));
  });
}
