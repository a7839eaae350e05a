/**
 * @file The binary layout of CIFAR-10 and CIFAR-100.
 *
 * https://www.cs.toronto.edu/~kriz/cifar.html : records without a header, each one label byte (CIFAR-100: the coarse
 * label, then the fine one) and 3072 pixels: 1024 red, 1024 green, 1024 blue, row-major. Nothing in a file says what it
 * is, so its length and its labels are all that can be checked.
 */

import { WildmarkError } from "../core/errors.js";
import type { DecodedImages } from "./decoded.js";

const shape = { channels: 3, height: 32, width: 32 } as const;
const PIXELS = 3 * 32 * 32;

/** The label bytes of a record, by how many values each may take; the last one is the label that is used. */
export type LabelBytes = readonly [...coarser: number[], classes: number];

export const cifar10Labels: LabelBytes = [10];
/** 20 superclasses, then the 100 classes. */
export const cifar100Labels: LabelBytes = [20, 100];

/**
 * Decodes the records of one or more files, in their order.
 *
 * @throws WildmarkError `bad-file` when a file is empty or no whole number of records, or a label is out of range.
 */
export function decodeCifar(
  files: readonly { readonly path: string; readonly bytes: Uint8Array }[],
  labelBytes: LabelBytes,
): DecodedImages {
  const record = labelBytes.length + PIXELS;
  for (const { path, bytes } of files) {
    if (bytes.length === 0 || bytes.length % record !== 0) {
      throw new WildmarkError(
        "bad-file",
        `${path}: expected records of ${record} bytes (${labelBytes.length} of labels, ${PIXELS} pixels), ` +
          `found ${bytes.length} bytes`,
        { hint: "the file is cut short, or of another data set: CIFAR-10 and CIFAR-100 differ in their records" },
      );
    }
  }
  const count = files.reduce((sum, { bytes }) => sum + bytes.length / record, 0);
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint16Array(count);
  let image = 0;
  for (const { path, bytes } of files) {
    for (let start = 0; start < bytes.length; start += record, image++) {
      labelBytes.forEach((classes, i) => {
        const label = bytes[start + i] ?? 0;
        if (label >= classes) {
          const number = start / record;
          throw new WildmarkError(
            "bad-file",
            `${path}: label ${number} is ${label}, expected one of 0 to ${classes - 1}`,
            { hint: "the file is damaged, or of another data set" },
          );
        }
        labels[image] = label;
      });
      images.set(bytes.subarray(start + labelBytes.length, start + record), image * PIXELS);
    }
  }
  return { shape, count, images, labels };
}
