/** @file Any data set, by its name or by where it lies. */

import { existsSync } from "node:fs";
import type { Progress } from "../core/progress.js";
import { datasets, type LoadedDataset, type LoadOptions, loadDataset } from "./registry.js";

export interface LoadDataOptions extends LoadOptions {
  /** Bring the images of a folder to this size: as large as covers it, then cut around the centre. */
  readonly resize?: { readonly height: number; readonly width: number } | undefined;
  /** Of decoding a folder of images. */
  readonly progress?: Progress | undefined;
}

/**
 * Loads a data set: one that Wildmark knows by name, or what lies at a path (a folder of class folders of images, IDX
 * files, CIFAR's binary files, an `.npz` or `.safetensors` file).
 *
 * `options.seed` is that of what is random in the data: built-in images, and the split of files that have no test part.
 *
 * @throws WildmarkError as `loadDataset` and `loadPath` do.
 */
export async function loadData(source: string, options: LoadDataOptions = {}): Promise<LoadedDataset> {
  if (!isPath(source)) return loadDataset(source, options);
  // Decoders of images are loaded where they are needed: nobody else waits for them.
  const { loadPath } = await import("./path.js");
  return loadPath(source, options);
}

/**
 * Whether a data set is said by its path. A name that is known wins over a folder of that name: `./mnist` means the
 * folder.
 */
export function isPath(source: string): boolean {
  return !datasets.some(({ id }) => id === source) && (source.includes("/") || existsSync(source));
}
