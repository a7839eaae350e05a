/** @file An image's name that says nothing of what it shows: the hash of its shape and pixels. */

import { createHash } from "node:crypto";
import { describeShape, type ImageShape } from "../core/image.js";
import { type Images, imageAt } from "./dataset.js";

/**
 * Hex SHA-256 of the line `C×H×W` (UTF-8, as `describeShape` writes it) with its newline, and the pixels.
 *
 * @param pixels C×H×W bytes.
 */
export function imageSha256(pixels: Uint8Array, shape: ImageShape): string {
  return createHash("sha256")
    .update(`${describeShape(shape)}\n`)
    .update(pixels)
    .digest("hex");
}

/** The hash of each image, in order. */
export function imageHashes(images: Images): string[] {
  return Array.from({ length: images.count }, (_, i) => imageSha256(imageAt(images, i), images.shape));
}
