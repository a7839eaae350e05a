/** @file Data sets by path: what kind of data lies there is guessed, and said. Adding a kind is adding a reader. */

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { permutation, randomStream } from "../core/random.js";
import { loadArrayFile } from "./array-file.js";
import { arrayFolders, arrayFoldersIn, loadArrayFolder, locate } from "./array-folder.js";
import { holdsFolders } from "./class-folders.js";
import { classesInWords } from "./class-names.js";
import { type LabelledImages, makeDataset, select } from "./dataset.js";
import { findingsIn } from "./findings.js";
import { type ImageFolderOptions, loadImageFolder } from "./image-folder.js";
import { decodeNpz } from "./npz.js";
import type { LoadedDataset, SplitLimits } from "./registry.js";
import { decodeSafetensorsImages } from "./safetensors-images.js";

interface Reader {
  readonly id: string;
  /** What it takes, in words. */
  readonly about: string;
  readonly recognises: (path: string) => Promise<boolean>;
  readonly load: (path: string, options: ImageFolderOptions) => Promise<LoadedDataset>;
}

/** The first that recognises a path reads it. */
const readers: readonly Reader[] = [
  ...arrayFolders.map(
    (kind): Reader => ({
      id: kind.id,
      about: kind.about,
      recognises: async (path) => (await locate(path, kind)) !== undefined,
      load: (path, options) => loadArrayFolder(path, kind, options),
    }),
  ),
  {
    id: "class-folders",
    about: "a folder with a folder of PNG, JPEG or WebP images for each class",
    // A folder of other data sets looks alike from outside.
    recognises: async (path) =>
      (await stat(path)).isDirectory() && (await holdsFolders(path)) && (await arrayFoldersIn(path)).length === 0,
    load: loadImageFolder,
  },
  {
    id: "npz",
    about: "an .npz file with images and labels",
    recognises: async (path) => /\.npz$/i.test(path),
    load: (path, options) => loadArrayFile(path, decodeNpz, options),
  },
  {
    id: "safetensors",
    about: "a .safetensors file with images and labels",
    recognises: async (path) => /\.safetensors$/i.test(path),
    load: (path, options) => loadArrayFile(path, decodeSafetensorsImages, options),
  },
];

/**
 * Loads the data set at a path; the first of its `warnings` says what it was taken for.
 *
 * @throws WildmarkError `bad-file` where no reader recognises it, else as the reader does.
 */
export async function loadPath(
  path: string,
  options: ImageFolderOptions & { readonly limits?: SplitLimits | undefined } = {},
): Promise<LoadedDataset> {
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new WildmarkError("bad-file", `there is nothing at ${path}`, { hint: "expected a data set's name or path" });
  }
  for (const reader of readers) {
    if (!(await reader.recognises(path))) continue;
    const dataset = await reader.load(path, options);
    const { train, test } = dataset;
    const { channels, height, width } = train.shape;
    const size = `${channels === 1 ? "grey" : "colour"}, ${height}x${width}`;
    const guess =
      `${path}: taken for ${reader.id}: ${train.classes} classes, ${train.count} + ` + `${test.count} images, ${size}`;
    const named = dataset.classNames === undefined ? [] : [`classes: ${classesInWords(dataset.classNames)}`];
    const doubts = [...(dataset.doubts ?? []), ...findingsIn(dataset)];
    const doubted = doubts.length === 0 ? dataset : { ...dataset, doubts };
    const warnings = [guess, ...named, ...dataset.warnings, ...doubts];
    const { limits } = options;
    if (limits?.train === undefined && limits?.test === undefined) return { ...doubted, warnings };
    // In a random order: the first images of a folder are all of one class.
    const some = { train: shuffled(train, limits.train), test: shuffled(test, limits.test) };
    return { ...makeDataset({ ...doubted, ...some }), warnings };
  }
  const [inside] = await arrayFoldersIn(path);
  if (inside !== undefined) {
    throw new WildmarkError("bad-file", `${path} is no data set itself, but holds such as ${JSON.stringify(inside)}`, {
      hint: `name one of them: ${join(path, inside)}; or a data set by its name, with --data-dir ${path}`,
    });
  }
  const known = readers.map(({ about }) => about).join("; ");
  throw new WildmarkError("bad-file", `${path} is no data set that Wildmark can read`, { hint: `it takes ${known}` });
}

function shuffled(images: LabelledImages, count: number | undefined): LabelledImages {
  if (count === undefined || count >= images.count) return images;
  return select(images, permutation(images.count, randomStream(0, "limit")).subarray(0, count));
}
