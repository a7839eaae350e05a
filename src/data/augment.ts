/**
 * @file Augmentation of clean images: shifted, mirrored, a square of them covered.
 *
 * Shifting pads with black and crops at a random place (He et al., CVPR 2016: 4 pixels of 32), mirroring is left to
 * right for half of the images, covering writes mid grey over a square of half the image's side, whose middle lies
 * anywhere in the image (Cutout: DeVries & Taylor, arXiv:1708.04552). Where an image is mirrored every other epoch, no
 * two epochs in a row show it the same way round, and shifts repeat what lies at the edge, mirrored (Jordan,
 * arXiv:2404.00498: 2 pixels of 32). This runs once a step: each pixel is written once.
 */

import type { RandomStream } from "../core/random.js";
import type { Augmentation } from "../models/recipes.js";
import { type ImageShape, imageSize } from "./dataset.js";
import { cleanView, type Pass, type View } from "./views.js";

/** What a cut-out square is filled with: where pixels lie in [0, 1], the value that says least. */
const COVER = 0.5;

/** The view that a name means for images of this shape. */
export function augmentedView(name: Augmentation, shape: ImageShape): View {
  const side = Math.min(shape.height, shape.width);
  const padding = Math.max(1, Math.round(side / 8));
  switch (name) {
    case "auto":
      return augmentedView(shape.channels === 3 ? "crop-flip-cutout" : "shift", shape);
    case "none":
      return cleanView;
    case "shift":
      return croppedView({ padding: Math.max(1, Math.round(side / 16)) });
    case "shift-alternate":
      return croppedView({ padding: Math.max(1, Math.round(side / 16)), edge: "mirrored", flip: "alternate" });
    case "crop-flip":
      return croppedView({ padding, flip: "random" });
    case "crop-flip-cutout": {
      const crop = croppedView({ padding, flip: "random" });
      const cut = cutOut(Math.round(side / 2));
      return (clean, target, given, count, random, chosen, pass) => {
        crop(clean, target, given, count, random, chosen, pass);
        cut(target, given, count, random);
      };
    }
  }
}

export interface Cropping {
  /** Less than the image's sides. */
  readonly padding: number;
  /** What comes in at the edge; default: black. */
  readonly edge?: "black" | "mirrored";
  /** Left to right: never (default), half of the images at random, or each every other epoch. */
  readonly flip?: "never" | "random" | "alternate";
}

/** Shifts by up to `padding` pixels either way on both axes, and mirrors. */
export function croppedView({ padding, edge = "black", flip = "never" }: Cropping): View {
  const isMirrored = (random: RandomStream, image: number, { epoch, always }: Pass): boolean => {
    switch (flip) {
      case "never":
        return false;
      case "random":
        return random.below(2) === 1;
      case "alternate":
        return (always.stream(image).below(2) + epoch) % 2 === 1;
    }
  };
  return (clean, target, shape, count, random, chosen, pass) => {
    const size = imageSize(shape);
    for (let image = 0; image < count; image++) {
      const down = random.below(2 * padding + 1) - padding;
      const right = random.below(2 * padding + 1) - padding;
      const mirrored = isMirrored(random, chosen[image] ?? 0, pass);
      copyMoved(clean, target, shape, image * size, { down, right, mirrored, edge });
    }
  };
}

/** Where the copy of an image begins in it, in pixels from its first row and column; less than its sides away. */
export interface Move {
  readonly down: number;
  readonly right: number;
  /** Left to right, once it is moved. */
  readonly mirrored: boolean;
  /** What comes in at the edge. */
  readonly edge: "black" | "mirrored";
}

/** Copies the image that begins at `start` of `clean`, [C, H, W], moved, to the same place of `target`. */
export function copyMoved(
  clean: Float32Array,
  target: Float32Array,
  { channels, height, width }: ImageShape,
  start: number,
  { down, right, mirrored, edge }: Move,
): void {
  /** Where on an axis of this length a position lies, and −1 where nothing does. */
  const inside = (at: number, length: number): number => {
    if (at >= 0 && at < length) return at;
    if (edge === "black") return -1;
    return at < 0 ? -at : 2 * (length - 1) - at;
  };
  for (let channel = 0; channel < channels; channel++) {
    const plane = start + channel * height * width;
    for (let row = 0; row < height; row++) {
      const out = plane + row * width;
      const from = inside(row + down, height);
      if (from < 0) {
        target.fill(0, out, out + width);
        continue;
      }
      const read = plane + from * width;
      for (let column = 0; column < width; column++) {
        const at = inside(column + right, width);
        const value = at < 0 ? 0 : (clean[read + at] ?? 0);
        target[mirrored ? out + width - 1 - column : out + column] = value;
      }
    }
  }
}

/** Covers one square of `side` pixels in each image, in place; what of it lies outside the image is lost. */
function cutOut(side: number) {
  return (images: Float32Array, shape: ImageShape, count: number, random: RandomStream): void => {
    const { channels, height, width } = shape;
    for (let image = 0; image < count; image++) {
      const top = random.below(height) - (side >> 1);
      const left = random.below(width) - (side >> 1);
      const [firstRow, lastRow] = [Math.max(0, top), Math.min(height, top + side)];
      const [first, last] = [Math.max(0, left), Math.min(width, left + side)];
      for (let channel = 0; channel < channels; channel++) {
        const plane = (image * channels + channel) * height * width;
        for (let row = firstRow; row < lastRow; row++) {
          images.fill(COVER, plane + row * width + first, plane + row * width + last);
        }
      }
    }
  };
}
