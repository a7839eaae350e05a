/** @file The flags that choose data, and the data that they mean. */

import { z } from "zod";
import type { Progress } from "../core/progress.js";
import type { Images } from "../data/dataset.js";
import { findUnrelated, type LoadedDataset, loadDataset, loadImages } from "../data/registry.js";

/** Which data set, where from, and how much of it. */
export const dataFlags = {
  dataset: z.string().meta({ description: "data set: digits, mnist, …", placeholder: "NAME" }),
  dataDir: z.string().optional().meta({ description: "folder with local copies of data sets", placeholder: "DIR" }),
  limit: z.int().min(1).optional().meta({ description: "use only the first N training images", placeholder: "N" }),
  testLimit: z.int().min(1).optional().meta({ description: "use only the first N test images", placeholder: "N" }),
};

export type DataFlags = z.infer<z.ZodObject<typeof dataFlags>>;

/** Loads the data set; what is doubtful about it is noted. */
export async function loadChosen(flags: DataFlags, progress: Progress): Promise<LoadedDataset> {
  const limits = { train: flags.limit, test: flags.testLimit };
  const dataset = await loadDataset(flags.dataset, { dataDir: flags.dataDir, limits });
  for (const warning of dataset.warnings) progress.note(`warning: ${warning}`);
  return dataset;
}

/** Images of another domain for the unrelated mark; the built-in shapes where the usual ones are not on this machine. */
export async function loadUnrelated(flags: DataFlags, progress: Progress): Promise<Images> {
  const usual = await findUnrelated(flags.dataset, { dataDir: flags.dataDir });
  if (usual === undefined) {
    progress.note("note: KMNIST is not on this machine; the unrelated mark uses Wildmark's built-in shapes instead");
  }
  const { shape, count, pixels, warnings } = usual ?? (await loadImages("shapes"));
  for (const warning of warnings) progress.note(`warning: ${warning}`);
  return { shape, count, pixels };
}
