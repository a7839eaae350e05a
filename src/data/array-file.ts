/** @file One file of arrays (`.npz`, `.safetensors`) as a data set. */

import { basename, resolve } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded } from "../core/files.js";
import { type LabelledImages, makeDataset, select } from "./dataset.js";
import type { DecodedImages, DecodedSplits } from "./decoded.js";
import { heldBack } from "./held-back.js";
import type { ImageFolderOptions } from "./image-folder.js";
import { inMemory } from "./pixels.js";
import type { LoadedDataset } from "./registry.js";

/** Node reads no larger file at once. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Reads a file of arrays; where it has no test images, about one in six of each class are kept back for testing.
 *
 * @throws WildmarkError `bad-file` when it is missing, damaged or larger than 2 GiB; `bad-data` when its arrays are no
 *   labelled images; `usage` when another size is asked for.
 */
export async function loadArrayFile(
  path: string,
  decode: (bytes: Uint8Array, what: string) => DecodedSplits | Promise<DecodedSplits>,
  { resize, seed = 0 }: ImageFolderOptions,
): Promise<LoadedDataset> {
  if (resize !== undefined) {
    throw new WildmarkError("usage", `the images of ${path} have one size already; --resize is for folders of images`);
  }
  const bytes = await readFileBounded(path, { what: "a file of arrays", maxBytes: MAX_BYTES });
  return ofSplits(path, await decode(bytes, path), seed);
}

/** A data set of decoded images; where they have no test images, about one in six of each class are kept back. */
export function ofSplits(
  path: string,
  { classes, train, test, notes = [] }: DecodedSplits,
  seed: number,
): LoadedDataset {
  const labelled = ({ shape, count, images, labels }: DecodedImages): LabelledImages => {
    return { shape, count, pixels: inMemory(images), classes, labels };
  };
  const title = basename(resolve(path));
  const named = { id: title, title };
  if (test !== undefined) {
    return { ...makeDataset({ ...named, train: labelled(train), test: labelled(test) }), warnings: notes };
  }
  const held = heldBack(train.labels, classes, seed, String);
  const all = labelled(train);
  const positions = Array.from({ length: train.count }, (_, i) => i);
  const pick = (test: boolean): LabelledImages =>
    select(
      all,
      positions.filter((i) => held.has(i) === test),
    );
  const note =
    `no test images: ${held.size} of ${train.count}, about one in six of each class, are kept ` +
    `for testing (seed ${seed})`;
  return { ...makeDataset({ ...named, train: pick(false), test: pick(true) }), warnings: [...notes, note] };
}
