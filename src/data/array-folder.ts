/** @file A folder with the files of MNIST or of CIFAR, whoever wrote them, as a data set. */

import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { WildmarkError } from "../core/errors.js";
import { ofSplits } from "./array-file.js";
import { knownSets } from "./checksums.js";
import { cifar10Labels, cifar100Labels, decodeCifar } from "./cifar.js";
import type { DecodedImages, DecodedSplits } from "./decoded.js";
import { decodeIdxImages, decodeIdxLabels } from "./idx.js";
import type { ImageFolderOptions } from "./image-folder.js";
import { type Recognised, readLocal, recognise } from "./places.js";
import { findRecord, type LoadedDataset } from "./registry.js";

/** How the files of a set are called and read. */
export interface ArrayFolder {
  readonly id: "idx" | "cifar-10" | "cifar-100";
  readonly about: string;
  /** The folder that the published archive puts the files into; that folder's own may be given too. */
  readonly inner?: string;
  /** What names the training files; one of them makes the folder one of this kind. */
  readonly train: RegExp;
  readonly test: RegExp;
  readonly decode: (
    folder: string,
    names: { readonly train: string[]; readonly test: string[] },
  ) => Promise<DecodedSplits>;
}

/** `train-images-idx3-ubyte.gz`, unpacked or not, and as other mirrors spell it. */
const idxName = (split: string): RegExp => new RegExp(`^${split}-(images|labels)[-.]idx[13]-ubyte(\\.gz)?$`);

/** Files of a split that nothing is done with. */
const VALIDATION = /^(?:val|valid|validation)(?:[-_.]|_batch).*(?:ubyte(?:\.gz)?|\.bin)$/i;

export const arrayFolders: readonly ArrayFolder[] = [
  {
    id: "idx",
    about: "a folder with the IDX files of a set like MNIST",
    train: idxName("train"),
    test: idxName("(?:t10k|test)"),
    decode: decodeIdxFiles,
  },
  {
    id: "cifar-10",
    about: "a folder with CIFAR-10's binary files",
    inner: "cifar-10-batches-bin",
    train: /^data_batch_\d+\.bin$/,
    test: /^test_batch\.bin$/,
    decode: cifar(10, cifar10Labels),
  },
  {
    id: "cifar-100",
    about: "a folder with CIFAR-100's binary files",
    inner: "cifar-100-binary",
    train: /^train\.bin$/,
    test: /^test\.bin$/,
    decode: cifar(100, cifar100Labels),
  },
];

/** What a folder holds by the names of its files; undefined where it is none of these. */
async function kindOf(folder: string): Promise<ArrayFolder | undefined> {
  const names = await readdir(folder).catch(() => []);
  return arrayFolders.find(({ train }) => names.some((name) => train.test(name)));
}

/** The folders in a folder that hold files of these kinds, in order. */
export async function arrayFoldersIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = found.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const kinds = await Promise.all(names.map((name) => kindOf(join(folder, name))));
  return names.filter((_, i) => kinds[i] !== undefined).sort();
}

/**
 * Where the files of this kind are: the folder itself, or the only one in it that holds a set, where its name says so
 * too.
 */
export async function locate(path: string, { id, inner }: ArrayFolder): Promise<string | undefined> {
  const own = await kindOf(path);
  if (own !== undefined) return own.id === id ? path : undefined;
  if (inner === undefined || (await kindOf(join(path, inner)))?.id !== id) return undefined;
  return (await arrayFoldersIn(path)).length === 1 ? join(path, inner) : undefined;
}

/**
 * Reads a folder of one of these kinds into memory. Without test files, about one in six of each class are kept back.
 *
 * @throws WildmarkError `bad-file` when a file is damaged, `bad-data` when one is lacking or files do not fit together,
 *   `usage` when another size is asked for.
 */
export async function loadArrayFolder(
  path: string,
  kind: ArrayFolder,
  { resize, seed = 0 }: ImageFolderOptions,
): Promise<LoadedDataset> {
  if (resize !== undefined) {
    throw new WildmarkError("usage", `the images of ${path} have one size already; --resize is for folders of images`);
  }
  const folder = (await locate(path, kind)) ?? path;
  const names = (await readdir(folder)).sort();
  const train = names.filter((name) => kind.train.test(name));
  const test = names.filter((name) => kind.test.test(name));
  const dropped = names.filter((name) => VALIDATION.test(name));
  const notes = dropped.length === 0 ? [] : [`${dropped.join(", ")} are not used: no validation images are needed`];
  const decoded = await kind.decode(folder, { train, test });
  const known = await knownTo(path, folder, [...train, ...test]);
  const dataset = ofSplits(path, { ...decoded, notes: [...known.notes, ...notes] }, seed);
  const { classNames, doubts } = known;
  return {
    ...dataset,
    ...(classNames?.length === decoded.classes ? { classNames } : {}),
    ...(doubts.length === 0 ? {} : { doubts }),
  };
}

/** Whose published files these are: what lies in a folder called mnist need not be MNIST. */
async function knownTo(path: string, folder: string, names: readonly string[]) {
  const found: Recognised[] = [];
  // One after the other: they are large.
  for (const name of names) {
    const is = recognise(await readLocal(join(folder, name)));
    if (is !== undefined) found.push(is);
  }
  const sets = [...new Set(found.map(({ set }) => set))];
  const titles = sets.map(({ title }) => title).join(" and ");
  const notes = sets.length === 0 ? [] : [`${found.length} of ${names.length} files are ${titles}'s, as published`];
  const called = basename(resolve(path));
  const lies = sets.length > 0 && knownSets.some(({ id }) => id === called) && !sets.some(({ id }) => id === called);
  const doubts = lies ? [`the folder is called ${called}, but its files are ${titles}'s`] : [];
  const [set] = sets;
  const classNames = set === undefined || sets.length > 1 ? undefined : findRecord(set.id).classNames;
  return { notes, doubts, classNames };
}

function cifar(classes: number, labelBytes: typeof cifar10Labels): ArrayFolder["decode"] {
  const split = async (folder: string, names: string[]): Promise<DecodedImages> => {
    const files = await Promise.all(names.map((name) => readLocal(join(folder, name))));
    return decodeCifar(files, labelBytes);
  };
  return async (folder, { train, test }) => ({
    classes,
    train: await split(folder, train),
    test: test.length === 0 ? undefined : await split(folder, test),
  });
}

/** Classes are counted from the labels. */
async function decodeIdxFiles(
  folder: string,
  names: { readonly train: string[]; readonly test: string[] },
): Promise<DecodedSplits> {
  const train = await idxSplit(folder, names.train);
  const test = names.test.length === 0 ? undefined : await idxSplit(folder, names.test);
  const most = [train, test].map((split) => split?.labels.reduce((a, b) => Math.max(a, b), 0) ?? 0);
  const classes = 1 + Math.max(...most);
  return { classes, train, test };
}

async function idxSplit(folder: string, names: string[]): Promise<DecodedImages> {
  const read = (what: string) => {
    const name = names.find((each) => each.includes(`-${what}`));
    if (name !== undefined) return readLocal(join(folder, name));
    throw new WildmarkError("bad-data", `${folder} lacks the ${what} that belong to ${names[0]}`, {
      hint: "expected such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz",
    });
  };
  const [images, labels] = [await read("images"), await read("labels")];
  const { dims, data } = decodeIdxImages(images.bytes, images.path);
  const [count = 0, height = 0, width = 0] = dims;
  if (data.length === 0) throw new WildmarkError("bad-data", `${images.path} holds no images (${dims.join("x")})`);
  const numbers = decodeIdxLabels(labels.bytes, labels.path).data;
  if (numbers.length !== count) {
    throw new WildmarkError("bad-data", `${labels.path}: expected ${count} labels, found ${numbers.length}`, {
      hint: "images and labels must come from the same split of the same data set",
    });
  }
  return { shape: { channels: 1, height, width }, count, images: data, labels: Uint16Array.from(numbers) };
}
