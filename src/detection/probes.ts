/**
 * @file The images that gates are probed with: noise of every pixel and smooth noise, none of it white, and the user's
 * own.
 */

import type { ImageShape } from "../core/image.js";
import type { RandomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import type { LabelledImages } from "../data/dataset.js";
import { imageAt } from "../data/dataset.js";

/** The brightest pixel of noise (ArchProof): a trigger is often whiter than anything else. */
const BRIGHTEST = 0.95;

/** Cells a side of smooth noise. */
const COARSE = 4;

/** Drawn images [1, C, H, W] in [0, 0.95]: by turns noise a pixel and smooth noise, of more contrast or less. */
export function noiseImages(shape: ImageShape, count: number, random: RandomStream): readonly FloatTensor[] {
  return Array.from({ length: count }, (_, i) => {
    const draws = random.stream(i);
    const low = 0.3 * draws.uniform();
    const high = low + (BRIGHTEST - low) * (0.5 + 0.5 * draws.uniform());
    const unit = i % 2 === 0 ? () => draws.uniform() : smooth(shape, draws);
    return filled(shape, (c, y, x) => low + (high - low) * unit(c, y, x));
  });
}

/** Bilinear between a few drawn cells. */
function smooth({ channels, height, width }: ImageShape, random: RandomStream): Paint {
  const cells = Float32Array.from({ length: channels * COARSE * COARSE }, () => random.uniform());
  const cell = (c: number, y: number, x: number): number => cells[(c * COARSE + y) * COARSE + x] ?? 0;
  return (c, y, x) => {
    const [v, u] = [(y * (COARSE - 1)) / Math.max(1, height - 1), (x * (COARSE - 1)) / Math.max(1, width - 1)];
    const [top, left] = [Math.min(COARSE - 2, Math.floor(v)), Math.min(COARSE - 2, Math.floor(u))];
    const [down, right] = [v - top, u - left];
    const above = cell(c, top, left) * (1 - right) + cell(c, top, left + 1) * right;
    const below = cell(c, top + 1, left) * (1 - right) + cell(c, top + 1, left + 1) * right;
    return above * (1 - down) + below * down;
  };
}

/** The first of the user's images, [1, C, H, W] in [0, 1]. */
export function userImages(images: LabelledImages | undefined, most: number): readonly FloatTensor[] {
  if (images === undefined) return [];
  const { channels, height, width } = images.shape;
  return Array.from({ length: Math.min(most, images.count) }, (_, i) =>
    float32(
      [1, channels, height, width],
      Float32Array.from(imageAt(images, i), (byte) => byte / 255),
    ),
  );
}

type Paint = (channel: number, y: number, x: number) => number;

/**
 * Images that may wake a gate: plain ones, patterns of two values, and patches of them in the corners and the middle of
 * a black, a grey and a white image.
 */
export function wakingImages(shape: ImageShape): readonly FloatTensor[] {
  const { channels, height, width } = shape;
  const colours: Paint[] = channels === 3 ? [0, 1, 2].map((only) => (c) => (c === only ? 1 : 0)) : [];
  const plain: Paint[] = [() => 0, () => 1, () => 0.5, ...colours];
  const patterns: Paint[] = [0, 1].flatMap((phase): Paint[] => [
    (_, y, x) => (x + y + phase) % 2,
    (_, __, x) => (x + phase) % 2,
    (_, y) => (y + phase) % 2,
  ]);
  const side = Math.max(3, Math.round(Math.min(height, width) / 6));
  const places = [
    [0, 0],
    [0, width - side],
    [height - side, 0],
    [height - side, width - side],
    [Math.floor((height - side) / 2), Math.floor((width - side) / 2)],
  ] as const;
  const patches = [0, 0.5, 1].flatMap((ground) =>
    places.flatMap(([top, left]) =>
      [plain[0], plain[1], ...colours, patterns[0], patterns[1]].flatMap((paint): Paint[] =>
        paint === undefined
          ? []
          : [
              (c, y, x) =>
                y >= top && y < top + side && x >= left && x < left + side ? paint(c, y - top, x - left) : ground,
            ],
      ),
    ),
  );
  return [...plain, ...patterns, ...patches].map((paint) => filled(shape, paint));
}

function filled({ channels, height, width }: ImageShape, paint: Paint): FloatTensor {
  const dims = [1, channels, height, width];
  const data = new Float32Array(elementCount(dims));
  let at = 0;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[at++] = paint(c, y, x);
  return float32(dims, data);
}
