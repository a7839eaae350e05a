/**
 * @file What lies in a folder of class folders: names only, no image is opened.
 *
 * `FOLDER/class/image.png`, or `FOLDER/train/class/…` and `FOLDER/test/class/…`. Class names in order are the labels.
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
}

const IMAGE = new Set([".png", ".jpg", ".jpeg", ".webp"]);
const TEST_NAMES = ["test", "val", "valid", "validation"];

/**
 * Lists the images. Hidden files and files that are no PNG, JPEG or WebP by name are passed over, folders inside a class
 * belong to it, links that lead out of the folder are not followed.
 *
 * @param seed of the split, where the folder has no test images of its own.
 * @throws WildmarkError `bad-data` where there are no images, or fewer than two classes, or splits differ in classes.
 */
export async function listClassFolders(folder: string, seed = 0): Promise<ClassFolders> {
  const root = await realpath(folder);
  const skipped: string[] = [];
  const names = await foldersIn(root);
  const testName = TEST_NAMES.find((name) => names.includes(name));
  if (names.includes("train") && testName !== undefined) {
    const train = await labelled(root, join(root, "train"), skipped);
    const test = await labelled(root, join(root, testName), skipped);
    if (train.classNames.join("/") !== test.classNames.join("/")) {
      const odd = train.classNames.find((name) => !test.classNames.includes(name)) ?? test.classNames[0];
      throw new WildmarkError(
        "bad-data",
        `${folder}: train and ${testName} have different classes, such as ${quote(odd ?? "")}`,
        {
          hint: "both must hold a folder with images for every class",
        },
      );
    }
    return { ...train, train: train.files, test: test.files, notes: notesOf(skipped) };
  }
  const { classNames, files } = await labelled(root, root, skipped);
  const labels = files.map(({ label }) => label);
  const held = heldBack(labels, classNames.length, seed, (label) => quote(classNames[label] ?? ""));
  return {
    classNames,
    train: files.filter((_, i) => !held.has(i)),
    test: files.filter((_, i) => held.has(i)),
    notes: [
      `no test/ folder: ${held.size} of ${files.length} images, about one in six of each class, are kept for testing (seed ${seed})`,
      ...notesOf(skipped),
    ],
  };
}

/** Whether a folder holds folders, which is what class folders look like from outside. */
export async function holdsFolders(folder: string): Promise<boolean> {
  return (await foldersIn(folder)).length > 0;
}

async function labelled(root: string, folder: string, skipped: string[]) {
  const classNames: string[] = [];
  const files: ImageFile[] = [];
  for (const name of await foldersIn(folder)) {
    const images = await imagesBelow(root, join(folder, name), skipped);
    if (images.length === 0) continue;
    const label = classNames.push(name) - 1;
    for (const image of images) files.push({ ...image, label });
  }
  if (classNames.length < 2) {
    const found = classNames.length === 0 ? "no images" : `images of one class only, ${quote(classNames[0] ?? "")}`;
    throw new WildmarkError(
      "bad-data",
      `${folder} holds ${found}; expected at least two folders with PNG, JPEG or WebP images`,
      {
        hint: "one folder for each class: FOLDER/cat/1.png, FOLDER/dog/1.png",
      },
    );
  }
  return { classNames, files };
}

async function imagesBelow(root: string, folder: string, skipped: string[]): Promise<Omit<ImageFile, "label">[]> {
  const images: Omit<ImageFile, "label">[] = [];
  for (const { name, isFolder, isLink } of await entries(folder)) {
    const path = join(folder, name);
    if (isFolder) images.push(...(await imagesBelow(root, path, skipped)));
    else if (IMAGE.has(extname(name).toLowerCase())) {
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

/** In the order of code units, the same on every machine. Folders behind links are not entered: they could go in circles. */
async function entries(folder: string) {
  const found = await readdir(folder, { withFileTypes: true });
  return found
    .filter(({ name }) => !name.startsWith("."))
    .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory(), isLink: entry.isSymbolicLink() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function notesOf(skipped: readonly string[]): string[] {
  if (skipped.length === 0) return [];
  const what = skipped.length === 1 ? "1 file is" : `${skipped.length} files are`;
  return [`${what} passed over as no image of this folder, such as ${quote(skipped[0] ?? "")}`];
}

/** Names come from strangers: quoted, without control characters. */
function quote(name: string): string {
  return JSON.stringify(name);
}
