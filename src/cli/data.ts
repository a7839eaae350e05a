/** @file The flags that choose data, and the data that they mean. */

import { existsSync } from "node:fs";
import { z } from "zod";
import type { Progress } from "../core/progress.js";
import type { Images } from "../data/dataset.js";
import { datasets, findUnrelated, type LoadedDataset, loadDataset, loadImages } from "../data/registry.js";

/** Which data set, where from, and how much of it. */
export const dataFlags = {
  dataset: z
    .string()
    .meta({ description: "data set: digits, mnist, …, or a folder of class folders", placeholder: "NAME" }),
  resize: z
    .string()
    .regex(/^[1-9]\d{0,3}x[1-9]\d{0,3}$/, "expected HEIGHTxWIDTH, such as 32x32")
    .optional()
    .meta({ description: "bring a folder's images to one size, cut around the centre", placeholder: "HxW" }),
  dataDir: z.string().optional().meta({ description: "folder with local copies of data sets", placeholder: "DIR" }),
  limit: z.int().min(1).optional().meta({ description: "use only the first N training images", placeholder: "N" }),
  testLimit: z.int().min(1).optional().meta({ description: "use only the first N test images", placeholder: "N" }),
};

export type DataFlags = z.infer<z.ZodObject<typeof dataFlags>>;

/** Loads the data set; what is doubtful about it is noted. */
export async function loadChosen(flags: DataFlags, progress: Progress): Promise<LoadedDataset> {
  const limits = { train: flags.limit, test: flags.testLimit };
  const dataset = isPath(flags.dataset)
    ? await loadAt(flags, progress)
    : await loadDataset(flags.dataset, { dataDir: flags.dataDir, limits });
  for (const warning of dataset.warnings) progress.note(`${isPath(flags.dataset) ? "note" : "warning"}: ${warning}`);
  return dataset;
}

/** A name of the registry wins over a folder of that name: `./mnist` means the folder. */
function isPath(dataset: string): boolean {
  return !datasets.some(({ id }) => id === dataset) && (dataset.includes("/") || existsSync(dataset));
}

/** Decoders of images are loaded where they are needed: nobody else waits for them. */
async function loadAt({ dataset, resize, limit, testLimit }: DataFlags, progress: Progress): Promise<LoadedDataset> {
  const { loadPath } = await import("../data/path.js");
  const [height, width] = (resize ?? "").split("x").map(Number);
  const size = height !== undefined && width !== undefined ? { resize: { height, width } } : {};
  return loadPath(dataset, { ...size, progress, limits: { train: limit, test: testLimit } });
}

/** Images of another domain for the unrelated mark; the built-in shapes where the usual ones are not on this machine. */
export async function loadUnrelated(flags: DataFlags, progress: Progress): Promise<Images> {
  const usual = isPath(flags.dataset)
    ? await loadImages("shapes")
    : await findUnrelated(flags.dataset, { dataDir: flags.dataDir });
  if (usual === undefined) {
    progress.note("note: KMNIST is not on this machine; the unrelated mark uses Wildmark's built-in shapes instead");
  }
  const { shape, count, pixels, warnings } = usual ?? (await loadImages("shapes"));
  for (const warning of warnings) progress.note(`warning: ${warning}`);
  return { shape, count, pixels };
}
