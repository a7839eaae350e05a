/** @file The flags that choose data, and the data that they mean. */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { findAbstract } from "../data/abstract.js";
import type { Dataset, Images } from "../data/dataset.js";
import { isPath, loadData } from "../data/load.js";
import { imageSets, type LoadedDataset } from "../data/registry.js";
import { loadUnrelated } from "../data/unrelated.js";
import { defined } from "../core/defined.js";

/** Which data set, where from, and how much of it. */
export const dataFlags = {
  dataset: z
    .string()
    .meta({ description: "data set: digits, mnist, … (wildmark data list), or the path of one", placeholder: "NAME" }),
  resize: z
    .string()
    .regex(/^[1-9]\d{0,3}x[1-9]\d{0,3}$/, "expected HEIGHTxWIDTH, such as 32x32")
    .optional()
    .meta({ description: "bring a folder's images to one size, cut around the centre", placeholder: "HxW" }),
  dataDir: z.string().optional().meta({ description: "folder with local copies of data sets", placeholder: "DIR" }),
  limit: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "use only N training images: the first, of a path N at random", placeholder: "N" }),
  testLimit: z.int().min(1).optional().meta({ description: "use only N test images, likewise", placeholder: "N" }),
  dataSeed: z
    .int()
    .optional()
    .meta({ description: "seed of the split where a path has no test images (default: 0)", placeholder: "N" }),
};

export type DataFlags = z.infer<z.ZodObject<typeof dataFlags>>;

/** What the commands that load data know of their call. */
export interface DataCall {
  readonly progress: Progress;
  /** Take files that may not be what was published: the doubt then stands in documents. */
  readonly force: boolean;
}

/**
 * Loads the data set; what is doubtful about it is noted.
 *
 * @throws WildmarkError as `loadData` does.
 */
export async function loadChosen(flags: DataFlags, { progress, force }: DataCall): Promise<LoadedDataset> {
  const { dataset: source, resize, dataDir, limit, testLimit, dataSeed } = flags;
  const limits = { train: limit, test: testLimit };
  const dataset = await loadData(source, { resize: sizeOf(resize), dataDir, limits, seed: dataSeed, progress, force });
  tell(dataset, isPath(source) ? "note" : "warning", progress);
  return dataset;
}

/** What `--resize` says: "32x48" is 32 high and 48 wide. */
export function sizeOf(resize: string | undefined): { readonly height: number; readonly width: number } | undefined {
  const [height, width] = (resize ?? "").split("x").map(Number);
  return height !== undefined && width !== undefined ? { height, width } : undefined;
}

/** Notes what the user should be told; a doubt is a warning wherever it comes from. */
function tell(
  { warnings, doubts = [] }: { readonly warnings: readonly string[]; readonly doubts?: readonly string[] },
  kind: "note" | "warning",
  progress: Progress,
): void {
  for (const warning of warnings) progress.note(`${doubts.includes(warning) ? "warning" : kind}: ${warning}`);
}

/** The data of a command in its document: which, and what casts doubt on them or on pictures for marks. */
export function datasetIn(dataset: Dataset, ...pictures: readonly (Images | undefined)[]) {
  return { id: dataset.id, sha256: dataset.sha256, doubts: doubtsOf(dataset, ...pictures) };
}

/** The doubts about all the data of a command, for its document: of the data set, and of pictures for marks. */
export function doubtsOf(
  ...data: readonly ({ readonly doubts?: readonly string[] | undefined } | undefined)[]
): readonly string[] {
  return data.flatMap((each) => each?.doubts ?? []);
}

/** The same for people: on stdout, so that they stand beside the result, `--quiet` or not. */
export function doubtLines(doubts: readonly string[]): string[] {
  return doubts.length === 0 ? [] : [["The data are doubtful:", ...doubts.map((doubt) => `  - ${doubt}`)].join("\n")];
}

/** The flag of commands that make the unrelated mark. */
export const unrelatedFlag = {
  unrelated: z
    .string()
    .optional()
    .meta({
      description:
        `images of the unrelated mark: ${imageSets.map(({ id }) => id).join(", ")}, another data ` +
        `set or a path; brought to the wanted size (default: what belongs to the data set)`,
      placeholder: "NAME",
    }),
};

/**
 * Images of another domain where a mark needs such; what was taken and done is noted.
 *
 * @throws WildmarkError `usage` where they are chosen and no mark needs them.
 */
export async function unrelatedFor(
  needed: boolean,
  dataset: Dataset,
  flags: DataFlags & { readonly unrelated?: string | undefined },
  { progress, force }: DataCall,
): Promise<{ readonly unrelated?: Images }> {
  const { dataDir, unrelated: source } = flags;
  if (!needed) {
    if (source === undefined) return {};
    throw new WildmarkError("usage", "--unrelated speaks of the unrelated mark, which was not chosen.", {
      hint: "Leave it out, or choose that mark too.",
    });
  }
  const found = await loadUnrelated(dataset, { dataDir, source, progress, force });
  tell(found, "note", progress);
  return { unrelated: imagesOf(found) };
}

/** The flag of commands that make the abstract mark. */
export const abstractFlag = {
  abstract: z
    .string()
    .optional()
    .meta({
      description:
        "path of pictures for the abstract mark (default: Adi et al.'s, where DIR/adi2018 of --data-dir " +
        "holds them, else " +
        "built-in ones)",
      placeholder: "PATH",
    }),
};

/**
 * Abstract pictures where there are some; which were taken is noted.
 *
 * @throws WildmarkError `usage` where they are chosen and no mark shows them.
 */
export async function abstractFor(
  shown: boolean,
  { train }: Dataset,
  flags: DataFlags & { readonly abstract?: string | undefined },
  { progress, force }: DataCall,
): Promise<{ readonly abstract?: Images }> {
  const { dataDir, abstract: source } = flags;
  if (!shown) {
    if (source === undefined) return {};
    throw new WildmarkError("usage", "--abstract speaks of the abstract mark, which was not chosen.", {
      hint: "Leave it out, or choose that mark.",
    });
  }
  const found = await findAbstract(train.shape, { dataDir, source, progress, force });
  if (found === undefined) {
    progress.note("note: Adi et al.'s abstract pictures are not on this machine; the mark uses built-in ones instead");
    return {};
  }
  const { title, count, warnings } = found;
  tell({ ...found, warnings: [`${count} pictures of ${title}`, ...warnings] }, "note", progress);
  return { abstract: imagesOf(found) };
}

function imagesOf({ shape, count, pixels, doubts }: Images): Images {
  return { shape, count, pixels, ...defined({ doubts }) };
}
