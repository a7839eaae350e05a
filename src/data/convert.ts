/**
 * @file Brings images to another shape: images of another domain to the shape that a model takes.
 *
 * Nothing is enlarged and no proportion is changed: what is too large is shrunk until it fits (the mean over the area
 * that a pixel covers), what is too small gets a black margin all round. So MNIST stands in the middle of 32×32 pixels,
 * as it does in LeCun et al. 1998 and in the experiments on CIFAR-10 that take it as unrelated images.
 */

import { WildmarkError } from "../core/errors.js";
import { describeShape, type ImageShape } from "../core/image.js";

/** Shares of red, green and blue in the brightness of a pixel (ITU-R BT.601, as JPEG has it). */
const LUMA = [0.299, 0.587, 0.114] as const;

/**
 * One image in another shape: grey becomes colour by repeating it, colour becomes grey by its brightness.
 *
 * @param image 8-bit, [C, H, W].
 * @throws WildmarkError `bad-data` where channels are neither equal nor one nor three to one.
 */
export function convertImage(image: Uint8Array, from: ImageShape, to: ImageShape): Uint8Array {
  requireConvertible(from, to);
  const scale = Math.min(1, to.height / from.height, to.width / from.width);
  const height = Math.max(1, Math.round(from.height * scale));
  const width = Math.max(1, Math.round(from.width * scale));
  const top = (to.height - height) >> 1;
  const left = (to.width - width) >> 1;
  const planes = planesOf(image, from, to.channels).map((plane) => shrink(plane, from, height, width));
  const target = new Uint8Array(to.channels * to.height * to.width);
  for (let channel = 0; channel < to.channels; channel++) {
    const plane = planes[planes.length === 1 ? 0 : channel] ?? new Float64Array(0);
    for (let y = 0; y < height; y++) {
      const row = (channel * to.height + top + y) * to.width + left;
      for (let x = 0; x < width; x++) target[row + x] = Math.round(plane[y * width + x] ?? 0);
    }
  }
  return target;
}

/** @throws WildmarkError `bad-data` where `convertImage` would. */
export function requireConvertible(from: ImageShape, to: ImageShape): void {
  if (from.channels === to.channels || from.channels === 1 || (from.channels === 3 && to.channels === 1)) return;
  throw new WildmarkError("bad-data", `${describeShape(from)} images cannot be made ${describeShape(to)}`, {
    hint: "images must be grey or colour, or have as many channels as are wanted",
  });
}

/** What `convertImage` does to images, in words: "a margin and colour"; undefined where it does nothing. */
export function describeConversion(from: ImageShape, to: ImageShape): string | undefined {
  const shrunk = from.height > to.height || from.width > to.width;
  const scale = Math.min(1, to.height / from.height, to.width / from.width);
  const margin = Math.round(from.height * scale) < to.height || Math.round(from.width * scale) < to.width;
  const steps = [
    ...(shrunk ? ["shrunk"] : []),
    ...(margin ? ["given a black margin"] : []),
    ...(from.channels < to.channels ? ["repeated in every channel"] : []),
    ...(from.channels > to.channels ? ["made grey"] : []),
  ];
  return steps.length === 0 ? undefined : `${steps.join(", ")} (${describeShape(from)} to ${describeShape(to)})`;
}

/** The channels that are needed: one where all will be alike. */
function planesOf(image: Uint8Array, { channels, height, width }: ImageShape, wanted: number): ArrayLike<number>[] {
  const size = height * width;
  const planes = Array.from({ length: channels }, (_, c) => image.subarray(c * size, (c + 1) * size));
  if (channels !== 3 || wanted !== 1) return planes;
  return [
    Float64Array.from({ length: size }, (_, at) =>
      planes.reduce((sum, plane, c) => sum + (plane[at] ?? 0) * (LUMA[c] ?? 0), 0),
    ),
  ];
}

/** The mean over the area that each pixel covers, first along rows, then along columns. */
function shrink(plane: ArrayLike<number>, from: ImageShape, height: number, width: number): ArrayLike<number> {
  if (from.height === height && from.width === width) return plane;
  const rows = new Float64Array(from.height * width);
  covering(from.width, width).forEach((covered, x) => {
    for (const { at, share } of covered) {
      for (let y = 0; y < from.height; y++)
        rows[y * width + x] = (rows[y * width + x] ?? 0) + share * (plane[y * from.width + at] ?? 0);
    }
  });
  const result = new Float64Array(height * width);
  covering(from.height, height).forEach((covered, y) => {
    for (const { at, share } of covered) {
      for (let x = 0; x < width; x++)
        result[y * width + x] = (result[y * width + x] ?? 0) + share * (rows[at * width + x] ?? 0);
    }
  });
  return result;
}

/** For each of `to` pixels that span `from` pixels: those it covers, and their shares, which add up to 1. */
function covering(from: number, to: number): { readonly at: number; readonly share: number }[][] {
  const step = from / to;
  return Array.from({ length: to }, (_, i) => {
    const covered: { readonly at: number; readonly share: number }[] = [];
    const end = i + 1 === to ? from : (i + 1) * step;
    for (let at = Math.floor(i * step); at < end; at++) {
      const share = (Math.min(at + 1, end) - Math.max(at, i * step)) / step;
      if (share > 0) covered.push({ at, share });
    }
    return covered;
  });
}
