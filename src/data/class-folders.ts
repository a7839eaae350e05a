/**
 * @file What lies in a folder of class folders: names only, no image is opened.
 *
 * `FOLDER/class/image.png`, or `FOLDER/train/class/…` and `FOLDER/test/class/…` under the usual names of splits in any
 * case. Class names in order are the labels.
 */

import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { heldBack } from "./held-back.js";

export interface ImageFile {
  readonly path: string;
  readonly label: number;
  readonly bytes: number;
  /** Last change, milliseconds. */
  readonly changed: number;
}

export interface ClassFolders {
  readonly classNames: readonly string[];
  readonly train: readonly ImageFile[];
  readonly test: readonly ImageFile[];
  /** What was found or decided, for the user. */
  readonly notes: readonly string[];
  /** What casts doubt on the data. */
  readonly doubts: readonly string[];
}

const IMAGE = new Set([".png", ".jpg", ".jpeg", ".webp"]);

/** What folders of splits are called, in any case; one of these names never means a class. */
const SPLIT_NAMES = {
  train: ["train", "training"],
  test: ["test", "testing"],
  validation: ["val", "valid", "validation"],
} as const;
type Split = keyof typeof SPLIT_NAMES;

/**
 * Lists the images. Hidden files and files that are no PNG, JPEG or WebP by name are passed over, folders inside a
 * class belong to it where it holds images itself, links that lead out of the folder are not followed.
 *
 * @param seed of the split, where the folder has no test images of its own.
 * @throws WildmarkError `bad-data` where there are no images, fewer than two classes, or a class that holds folders
 *   only; where splits differ in classes, or one of them is there without training images.
 */
export async function listClassFolders(folder: string, seed = 0): Promise<ClassFolders> {
  const root = await realpath(folder);
  const names = await foldersIn(root);
  const splits = splitsAmong(folder, names);
  const found: Found = { skipped: [], empty: [] };
  if (splits.size === 0) return split(await labelled(root, root, found), "no test folder", [], seed, found);

  const train = splits.get("train");
  if (train === undefined) {
    const [other = ""] = splits.values();
    throw new WildmarkError(
      "bad-data",
      `${folder} holds ${quote(other)}, which is a split and no class, but no train folder`,
      {
        hint:
          `expected train beside it, with a folder for each class; if ${quote(other)} is a class, call ` +
          `it otherwise`,
      },
    );
  }
  await requireClassesIn(root, train);
  const test = splits.get("test") ?? splits.get("validation");
  const notes = await droppedNotes(root, names, { train, test });
  const own = await labelled(root, join(root, train), found);
  if (test === undefined) return split(own, "no test folder", notes, seed, found);
  const other = await labelled(root, join(root, test), found);
  if (own.classNames.join("/") !== other.classNames.join("/")) {
    const odd = own.classNames.find((name) => !other.classNames.includes(name)) ?? other.classNames[0];
    throw new WildmarkError(
      "bad-data",
      `${folder}: ${quote(train)} and ${quote(test)} have different classes, such as ${quote(odd ?? "")}`,
      { hint: "both must hold a folder with images for every class" },
    );
  }
  const instead = splits.has("test") ? [] : [`no test folder: ${quote(test)} is the test set`];
  return { ...own, train: own.files, test: other.files, ...said([...instead, ...notes], found) };
}

/** Whether a folder holds folders, which is what class folders look like from outside. */
export async function holdsFolders(folder: string): Promise<boolean> {
  return (await foldersIn(folder)).length > 0;
}

/**
 * Lists the images below a folder, whatever its folders mean, in the order of their paths. What else lies there is
 * passed over, as in class folders.
 *
 * @throws WildmarkError `bad-file` where there is no such folder.
 */
export async function listImages(folder: string) {
  const root = await realpath(folder).catch(() => undefined);
  if (root === undefined || !(await stat(root)).isDirectory()) {
    throw new WildmarkError("bad-file", `there is no folder ${folder}`);
  }
  const found: Found = { skipped: [], empty: [] };
  const files = await imagesBelow(root, root, found.skipped);
  return { root, files, notes: said([], found).notes };
}

/** What is met on the way that the user should hear of. */
interface Found {
  /** Files that are no images of the folder. */
  readonly skipped: string[];
  /** Class folders without any image. */
  readonly empty: string[];
}

interface Labelled {
  readonly classNames: readonly string[];
  readonly files: readonly ImageFile[];
}

/** About one in six of each class become the test images. */
function split(
  { classNames, files }: Labelled,
  why: string,
  notes: readonly string[],
  seed: number,
  found: Found,
): ClassFolders {
  const labels = files.map(({ label }) => label);
  const held = heldBack(labels, classNames.length, seed, (label) => quote(classNames[label] ?? ""));
  const kept =
    `${why}: ${held.size} of ${files.length} images, about one in six of each class, are kept ` +
    `for testing (seed ${seed})`;
  return {
    classNames,
    train: files.filter((_, i) => !held.has(i)),
    test: files.filter((_, i) => held.has(i)),
    ...said([kept, ...notes], found),
  };
}

/** The folder of each split. */
function splitsAmong(folder: string, names: readonly string[]): ReadonlyMap<Split, string> {
  const splits = new Map<Split, string>();
  for (const name of names) {
    const which = splitOf(name);
    if (which === undefined) continue;
    const other = splits.get(which);
    if (other !== undefined) {
      throw new WildmarkError(
        "bad-data",
        `${folder} holds both ${quote(other)} and ${quote(name)}: two ${which} splits`,
        {
          hint: "keep one of them, or join them",
        },
      );
    }
    splits.set(which, name);
  }
  return splits;
}

function splitOf(name: string): Split | undefined {
  const lower = name.toLowerCase();
  const known = (which: Split): boolean => SPLIT_NAMES[which].some((each) => each === lower);
  return (["train", "test", "validation"] as const).find(known);
}

/** A class that is called train would be taken for the training images. */
async function requireClassesIn(root: string, train: string): Promise<void> {
  const inside = await entries(join(root, train));
  if (inside.some(({ isFolder }) => isFolder) || !inside.some(({ name }) => isImageName(name))) return;
  throw new WildmarkError(
    "bad-data",
    `${join(root, train)} holds images and no class folders; a folder of that name is a split, never a class`,
    { hint: `expected ${train}/CLASS/1.png; if ${quote(train)} is a class, call it otherwise` },
  );
}

/** What lies beside the splits that are used. */
async function droppedNotes(
  root: string,
  names: readonly string[],
  used: { readonly train: string; readonly test: string | undefined },
): Promise<string[]> {
  const notes: string[] = [];
  for (const name of names) {
    if (name === used.train || name === used.test) continue;
    const { length } = await imagesBelow(root, join(root, name), []);
    const why = splitOf(name) === undefined ? "it is no split" : `${quote(used.test ?? "")} is the test set`;
    notes.push(`${quote(name)} (${length} images) is not used: ${why}`);
  }
  return notes;
}

async function labelled(root: string, folder: string, found: Found): Promise<Labelled> {
  const classNames: string[] = [];
  const files: ImageFile[] = [];
  const names = await foldersIn(folder);
  for (const name of names) {
    const path = join(folder, name);
    await requireOwnImages(folder, name, names.length === 1);
    const images = await imagesBelow(root, path, found.skipped);
    if (images.length === 0) {
      found.empty.push(path);
      continue;
    }
    const label = classNames.push(name) - 1;
    for (const image of images) files.push({ ...image, label });
  }
  if (classNames.length < 2) {
    const what = classNames.length === 0 ? "no images" : `images of one class only, ${quote(classNames[0] ?? "")}`;
    throw new WildmarkError(
      "bad-data",
      `${folder} holds ${what}; expected at least two folders with PNG, JPEG or WebP images`,
      {
        hint: "one folder for each class: FOLDER/cat/1.png, FOLDER/dog/1.png",
      },
    );
  }
  return { classNames, files };
}

/**
 * Folders in a class that holds no image itself are splits, or classes of their own: to take them for one class would
 * be a lie.
 */
async function requireOwnImages(folder: string, name: string, alone: boolean): Promise<void> {
  const inside = await entries(join(folder, name));
  const folders = inside.filter(({ isFolder }) => isFolder).map((entry) => entry.name);
  if (folders.length === 0 || inside.some((entry) => !entry.isFolder && isImageName(entry.name))) return;
  const shown = folders.slice(0, 3).map(quote).join(", ");
  const more = folders.length <= 3 ? "" : ` and ${folders.length - 3} more`;
  throw new WildmarkError(
    "bad-data",
    `${join(folder, name)} is no class: it holds no images itself, only folders: ${shown}${more}`,
    {
      hint:
        alone || folders.some((each) => splitOf(each) !== undefined)
          ? `name that folder: ${join(folder, name)}`
          : "put the images of a class into its own folder: FOLDER/cat/1.png; folders named train and test are splits",
    },
  );
}

function isImageName(name: string): boolean {
  return IMAGE.has(extname(name).toLowerCase());
}

async function imagesBelow(root: string, folder: string, skipped: string[]): Promise<Omit<ImageFile, "label">[]> {
  const images: Omit<ImageFile, "label">[] = [];
  for (const { name, isFolder, isLink } of await entries(folder)) {
    const path = join(folder, name);
    if (isFolder) images.push(...(await imagesBelow(root, path, skipped)));
    else if (isImageName(name)) {
      const found = await stat(path).catch(() => undefined);
      const inside = !isLink || (await realpath(path).catch(() => "")).startsWith(root + sep);
      if (found?.isFile() && inside) images.push({ path, bytes: found.size, changed: found.mtimeMs });
      else skipped.push(path);
    } else skipped.push(path);
  }
  return images;
}

async function foldersIn(folder: string): Promise<string[]> {
  return (await entries(folder)).filter(({ isFolder }) => isFolder).map(({ name }) => name);
}

/**
 * In the order of code units, the same on every machine. Folders behind links are not entered: they could go in
 * circles.
 */
async function entries(folder: string) {
  const found = await readdir(folder, { withFileTypes: true });
  return found
    .filter(({ name }) => !name.startsWith("."))
    .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory(), isLink: entry.isSymbolicLink() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function said(notes: readonly string[], { skipped, empty }: Found): Pick<ClassFolders, "notes" | "doubts"> {
  const what = skipped.length === 1 ? "1 file is" : `${skipped.length} files are`;
  const passed =
    skipped.length === 0 ? [] : [`${what} passed over as no image of this folder, such as ${quote(skipped[0] ?? "")}`];
  const doubts = empty.map((path) => `empty class: ${quote(path)} holds no images, so it is no class here`);
  return { notes: [...notes, ...passed], doubts };
}

/** Names come from strangers: quoted, without control characters. */
function quote(name: string): string {
  return JSON.stringify(name);
}
