/** @file A folder of images without classes: triggers that were made elsewhere. They are few, so all lie in memory. */

import { relative } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { type Progress, silent } from "../core/progress.js";
import { listImages } from "./class-folders.js";
import { type Images, imageSize } from "./dataset.js";
import { commonShape, decodeImage } from "./image-folder.js";
import { inMemory } from "./pixels.js";

export interface ListedImages extends Images {
  /** Of each image: its path within the folder, with forward slashes. */
  readonly names: readonly string[];
  /** What was passed over, for the user. */
  readonly notes: readonly string[];
}

export interface ImageListOptions {
  /** Bring all images to this size: as large as covers it, then cut around the centre. */
  readonly resize?: { readonly height: number; readonly width: number } | undefined;
  /** 1 or 3; default: 1 where all images are grey. */
  readonly channels?: number | undefined;
  readonly progress?: Progress | undefined;
}

/** What they may take together: as much as the file of a key. */
const MAX_BYTES = 2 ** 31;

/**
 * Reads all PNG, JPEG and WebP files below a folder, in the order of their paths.
 *
 * @throws WildmarkError `bad-data` where there are none, too many, or some of several sizes; `bad-file` where one is
 *   damaged.
 */
export async function loadImageList(folder: string, options: ImageListOptions = {}): Promise<ListedImages> {
  const { progress = silent, channels } = options;
  const { root, files, notes } = await listImages(folder);
  if (files.length === 0) {
    throw new WildmarkError("bad-data", `${folder} holds no PNG, JPEG or WebP images`);
  }
  const found = await commonShape(files, options);
  const shape = { ...found, channels: channels ?? found.channels };
  const size = imageSize(shape);
  if (size * files.length > MAX_BYTES) {
    throw new WildmarkError("bad-data", `${folder}: ${files.length} images of ${size} bytes are too many for a key`, {
      hint: "Choose fewer, or --resize them to what the model takes.",
    });
  }
  const pixels = new Uint8Array(size * files.length);
  for (const [i, { path }] of files.entries()) {
    pixels.set(await decodeImage(path, shape), i * size);
    progress.update("decode images", i + 1, files.length);
  }
  const names = files.map(({ path }) => relative(root, path).replaceAll("\\", "/"));
  return { shape, count: files.length, pixels: inMemory(pixels), names, notes };
}
