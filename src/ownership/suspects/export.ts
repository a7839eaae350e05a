/**
 * @file Images to give away: PNG files under names that look random, in the order of the names, so that nothing tells
 * triggers from placebos or decoys but what the images show. The names follow from the images (`manifest.ts`).
 */

import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { WildmarkError } from "../../core/errors.js";
import { writeError, writeFileAtomic } from "../../core/files.js";
import { describeShape } from "../../core/image.js";
import { type Images, imageAt } from "../../data/dataset.js";
import { imageSha256 } from "../../data/image-id.js";
import { pngBytes } from "../../data/png.js";
import { type BoundManifest, manifestOf, newNonce } from "./manifest.js";

/** What to write where. */
export interface Export {
  readonly files: readonly { readonly name: string; readonly png: Uint8Array }[];
  readonly manifest: BoundManifest;
}

/**
 * Names and encodes images; an image that occurs twice is exported once, because it needs one answer.
 *
 * @param sets of one shape: triggers, placebos, decoys, whatever is to be asked.
 * @throws WildmarkError `bad-data` where shapes differ, images are neither grey nor colour, or there are none.
 */
export function exportImages(sets: readonly Images[]): Export {
  const [first] = sets;
  if (first === undefined || sets.every(({ count }) => count === 0)) {
    throw new WildmarkError("bad-data", "there are no images to export");
  }
  const { shape } = first;
  const images = new Map<string, Uint8Array>();
  for (const set of sets) {
    if (describeShape(set.shape) !== describeShape(shape)) {
      throw new WildmarkError(
        "bad-data",
        `images to export differ in shape: ${describeShape(shape)} and ${describeShape(set.shape)}`,
        { hint: "take decoys from the data set that the key was made from" },
      );
    }
    for (let i = 0; i < set.count; i++) {
      const pixels = imageAt(set, i);
      const hash = imageSha256(pixels, shape);
      if (!images.has(hash)) images.set(hash, pngBytes(pixels, shape));
    }
  }
  const manifest = manifestOf(shape, [...images.keys()], newNonce());
  const files = manifest.images.map(({ name, sha256 }) => ({ name, png: images.get(sha256) ?? new Uint8Array(0) }));
  return { files, manifest };
}

/**
 * Makes `out/images`, before anything is entered as disclosed.
 *
 * @throws WildmarkError `cannot-write`, also where there are images already: those would be asked too.
 */
export async function prepareExport(out: string): Promise<void> {
  const folder = join(out, "images");
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw writeError(folder, error);
  }
  if ((await readdir(folder)).length > 0) {
    throw new WildmarkError("cannot-write", `${folder} is not empty.`, {
      hint: "Choose another folder: images of two exports must not be mixed.",
    });
  }
}

/**
 * Writes images into `out/images`, and `out/answers.csv`, a table to be filled in.
 *
 * @throws WildmarkError `cannot-write` as `prepareExport` does, and where there is a table already (without `force`).
 */
export async function writeExport(
  out: string,
  { files }: Export,
  options: {
    readonly force?: boolean;
    readonly signal?: AbortSignal;
    readonly onWritten?: (done: number) => void;
  } = {},
): Promise<void> {
  const { force = false, signal, onWritten } = options;
  await prepareExport(out);
  const folder = join(out, "images");
  for (const [i, { name, png }] of files.entries()) {
    if (signal?.aborted) throw new WildmarkError("interrupted", "Stopped.");
    await writeFileAtomic(join(folder, name), png);
    onWritten?.(i + 1);
  }
  const table = `name,label\n${files.map(({ name }) => `${name},\n`).join("")}`;
  await writeFileAtomic(join(out, "answers.csv"), Buffer.from(table), { force });
}
