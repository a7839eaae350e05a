/** @file Single images as PNG: bytes for files and requests, data URIs for the report. */

import { decode, encode } from "fast-png";
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
      `a picture takes 1 or 3 channels of ${height}x${width} bytes, found ${channels} channels and ` +
        `${pixels.length} bytes`,
    );
  }
  return encode({ width, height, channels, depth: 8, data: interleaved(pixels, channels) });
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Colour types of PNG, by number of channels. */
const COLOUR_TYPES = new Map([
  [1, 0],
  [3, 2],
]);

/**
 * The pixels of a PNG file that shows one picture to whoever opens it: eight bits a channel, grey or colour as the
 * shape says, without palette, transparency, colour profile, or anything else that one program heeds and another does
 * not.
 *
 * @returns C×H×W bytes; undefined for any other file.
 */
export function plainPixels(png: Uint8Array, { channels, height, width }: ImageShape): Uint8Array | undefined {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  if (bytes.length < 33 || !bytes.subarray(0, 8).equals(SIGNATURE)) return undefined;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, COLOUR_TYPES.get(channels) ?? 255, 0, 0, 0], 8);
  if (bytes.readUInt32BE(8) !== header.length || !bytes.subarray(16, 29).equals(header)) return undefined;
  for (let at = 8, first = true; ; first = false) {
    if (at + 12 > bytes.length) return undefined;
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    if (type !== (first ? "IHDR" : "IDAT") && (first || type !== "IEND")) return undefined;
    at += 12 + length;
    if (type !== "IEND") continue;
    if (at !== bytes.length) return undefined;
    break;
  }
  try {
    const { data } = decode(bytes, { checkCrc: true });
    return data instanceof Uint8Array && data.length === channels * height * width ? planar(data, channels) : undefined;
  } catch {
    return undefined;
  }
}

/** H×W×C to C×H×W. */
function planar(pixels: Uint8Array, channels: number): Uint8Array {
  const plane = pixels.length / channels;
  return Uint8Array.from(pixels, (_, i) => pixels[(i % plane) * channels + Math.floor(i / plane)] ?? 0);
}

/** C×H×W to H×W×C. */
export function interleaved(pixels: Uint8Array, channels: number): Uint8Array {
  if (channels === 1) return pixels;
  const plane = pixels.length / channels;
  return Uint8Array.from(pixels, (_, i) => pixels[(i % channels) * plane + Math.floor(i / channels)] ?? 0);
}
