/** @file The first images of a set as numbers: what a fresh model is fitted to before it trains. */

import { packImages } from "./batches.js";
import { type Images, imageSize } from "./dataset.js";

/** Gives the first images of the set, at most so many: [n, C, H, W], values in [0, 1]. */
export function firstImages(images: Images): (most: number) => Float32Array {
  return (most) => {
    const indices = Uint32Array.from({ length: Math.min(most, images.count) }, (_, i) => i);
    const pixels = new Float32Array(indices.length * imageSize(images.shape));
    packImages(images, indices, pixels);
    return pixels;
  };
}
