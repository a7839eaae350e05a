/** @file Single images as PNG: bytes for files and requests, data URIs for the report. */

import { encode } from "fast-png";
import { WildmarkError } from "../core/errors.js";
import { type ImageShape, imageSize } from "./dataset.js";

/** One image as a `data:image/png;base64,…` URI; see `pngBytes`. */
export function pngDataUri(pixels: Uint8Array, shape: ImageShape): string {
  return `data:image/png;base64,${Buffer.from(pngBytes(pixels, shape)).toString("base64")}`;
}

/**
 * One image as the bytes of a PNG file, without any metadata: grey for one channel, colour for three.
 *
 * @param pixels C×H×W bytes.
 * @throws WildmarkError `bad-data` for another number of channels or pixels.
 */
export function pngBytes(pixels: Uint8Array, shape: ImageShape): Uint8Array {
  const { channels, height, width } = shape;
  if ((channels !== 1 && channels !== 3) || pixels.length !== imageSize(shape)) {
    throw new WildmarkError(
      "bad-data",
      `a picture takes 1 or 3 channels of ${height}x${width} bytes, found ${channels} channels and ${pixels.length} bytes`,
    );
  }
  return encode({ width, height, channels, depth: 8, data: interleaved(pixels, channels) });
}

/** C×H×W to H×W×C. */
export function interleaved(pixels: Uint8Array, channels: number): Uint8Array {
  if (channels === 1) return pixels;
  const plane = pixels.length / channels;
  return Uint8Array.from(pixels, (_, i) => pixels[(i % channels) * plane + Math.floor(i / channels)] ?? 0);
}
