/**
 * @file The data sets and image sets that Wildmark knows, as records.
 *
 * Adding a data set is adding one record: how to find, fetch, check and list it follows from that.
 */

import { WildmarkError } from "../core/errors.js";
import {
  type Archive,
  cifar10Archive,
  cifar10Files,
  cifar100Archive,
  cifar100Files,
  type DownloadableFile,
  emnistArchive,
  emnistFiles,
  fashionMnistFiles,
  type KnownFile,
  kmnistFiles,
  mnistFiles,
} from "./checksums.js";
import { cifar10Labels, cifar100Labels, decodeCifar, type LabelBytes } from "./cifar.js";
import {
  cifar10Names,
  cifar100Names,
  digitNames,
  emnistBalancedNames,
  emnistLettersNames,
  fashionMnistNames,
  kmnistNames,
} from "./class-names.js";
import { type Dataset, type ImageShape, type Images, type LabelledImages, makeDataset, select } from "./dataset.js";
import { renderDigits } from "./digits.js";
import { findingsIn } from "./findings.js";
import { decodeIdxImages, decodeIdxLabels } from "./idx.js";
import { inMemory } from "./pixels.js";
import { type FileSet, findFiles, type LocalFile, missing, type PlaceOptions } from "./places.js";
import { renderShapes } from "./shapes.js";

/** How many images of each split to take, from the first; default: all. */
export interface SplitLimits {
  readonly train?: number | undefined;
  readonly test?: number | undefined;
}

export interface LoadOptions extends PlaceOptions {
  /** Seed of a built-in set; files do not depend on it. Default 0. */
  readonly seed?: number | undefined;
  readonly limits?: SplitLimits | undefined;
}

/** A data set as loaded. */
export interface LoadedDataset extends Dataset {
  /** What the user should be told; the doubts, which are also in `doubts`, among it. */
  readonly warnings: readonly string[];
}

interface Splits {
  readonly train: LabelledImages;
  readonly test: LabelledImages;
}

interface RecordBase {
  readonly id: string;
  readonly title: string;
  /** One sentence for lists. */
  readonly about: string;
  readonly shape: ImageShape;
  readonly classes: number;
  readonly classNames: readonly string[];
  readonly trainCount: number;
  readonly testCount: number;
  /** Id of the image set whose pictures have nothing to do with this one, for marks that need such. */
  readonly unrelated: string;
}

/** A data set that Wildmark draws itself. */
export interface BuiltInRecord extends RecordBase {
  readonly kind: "built-in";
  readonly render: (seed: number, counts: { readonly train: number; readonly test: number }) => Splits;
}

/** Where the files of a data set come from: each by itself, or in an archive, perhaps with those of its siblings. */
export type Source =
  | { readonly kind: "files"; readonly files: readonly DownloadableFile[] }
  | { readonly kind: "archive"; readonly archive: Archive; readonly files: readonly KnownFile[] };

/** A data set that lies in files. */
export interface DownloadRecord extends RecordBase, FileSet {
  readonly kind: "download";
  /** Addresses of folders that hold the files or the archive, tried in this order. */
  readonly mirrors: readonly string[];
  readonly source: Source;
  /** Decodes the files, asked for by their published names. */
  readonly decode: (file: (name: string) => LocalFile) => Splits;
}

export type DatasetRecord = BuiltInRecord | DownloadRecord;

const grey28: ImageShape = { channels: 1, height: 28, width: 28 };
const colour32: ImageShape = { channels: 3, height: 32, width: 32 };

/** A set in the four files of MNIST, whose names it shares with its siblings. */
function mnistLike(
  record: Pick<DownloadRecord, "id" | "title" | "about" | "classNames" | "unrelated" | "mirrors" | "flat">,
  files: readonly DownloadableFile[],
): DownloadRecord {
  return {
    ...record,
    kind: "download",
    shape: grey28,
    classes: 10,
    trainCount: 60_000,
    testCount: 10_000,
    folder: record.id,
    files,
    source: { kind: "files", files },
    decode: (file) => decodeIdxSplits(file, { train: "train", test: "t10k", classes: 10 }),
  };
}

function cifar(
  record: Pick<DownloadRecord, "id" | "title" | "about" | "classNames" | "files">,
  archive: Archive,
  labelBytes: LabelBytes,
): DownloadRecord {
  const classes = record.classNames.length;
  const split = (file: (name: string) => LocalFile, test: boolean): LabelledImages => {
    const names = record.files.map(({ name }) => name).filter((name) => name.startsWith("test") === test);
    const { shape, count, images, labels } = decodeCifar(names.map(file), labelBytes);
    return { shape, count, pixels: inMemory(images), classes, labels };
  };
  return {
    ...record,
    kind: "download",
    shape: colour32,
    classes,
    trainCount: 50_000,
    testCount: 10_000,
    unrelated: "mnist-test",
    folder: archive.folder,
    flat: true,
    mirrors: ["https://www.cs.toronto.edu/~kriz/"],
    source: { kind: "archive", archive, files: record.files },
    decode: (file) => ({ train: split(file, false), test: split(file, true) }),
  };
}

const emnistSets = {
  digits: { train: 240_000, test: 40_000 },
  letters: { train: 124_800, test: 20_800 },
  balanced: { train: 112_800, test: 18_800 },
} as const;

/** All sets come in one archive, so one download brings them all. */
const emnistAll = Object.entries(emnistSets).flatMap(([set, counts]) => emnistFiles(set, counts));

function emnist(
  set: keyof typeof emnistSets,
  about: string,
  classNames: readonly string[],
  firstLabel = 0,
): DownloadRecord {
  const { train, test } = emnistSets[set];
  const classes = classNames.length;
  return {
    kind: "download",
    id: `emnist-${set}`,
    title: `EMNIST ${set}`,
    about,
    shape: grey28,
    classes,
    classNames,
    trainCount: train,
    testCount: test,
    unrelated: "kmnist-test",
    folder: "emnist",
    flat: true,
    files: emnistFiles(set, { train, test }),
    mirrors: ["https://biometrics.nist.gov/cs_links/EMNIST/", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"],
    source: { kind: "archive", archive: emnistArchive, files: emnistAll },
    decode: (file) => {
      const names = { train: `emnist-${set}-train`, test: `emnist-${set}-test` };
      return decodeIdxSplits(file, { ...names, classes, firstLabel, transposed: true });
    },
  };
}

export const datasets: readonly DatasetRecord[] = [
  {
    kind: "built-in",
    id: "digits",
    title: "Rendered digits",
    about: "ten handwritten-looking digits, drawn by Wildmark itself; nothing to download",
    shape: grey28,
    classes: 10,
    classNames: digitNames,
    trainCount: 10_000,
    testCount: 2_000,
    unrelated: "shapes",
    render: (seed, counts) => ({
      train: renderDigits("train", counts.train, seed),
      test: renderDigits("test", counts.test, seed),
    }),
  },
  mnistLike(
    {
      id: "mnist",
      title: "MNIST",
      about: "handwritten digits (LeCun, Cortes, Burges), the data set of the paper",
      classNames: digitNames,
      unrelated: "kmnist-test",
      flat: true,
      mirrors: [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
      ],
    },
    mnistFiles,
  ),
  cifar(
    {
      id: "cifar-10",
      title: "CIFAR-10",
      about: "small photographs of animals and vehicles (Krizhevsky), the paper's second data set",
      classNames: cifar10Names,
      files: cifar10Files,
    },
    cifar10Archive,
    cifar10Labels,
  ),
  cifar(
    {
      id: "cifar-100",
      title: "CIFAR-100",
      about: "small photographs of 100 kinds of things (Krizhevsky), by their fine labels",
      classNames: cifar100Names,
      files: cifar100Files,
    },
    cifar100Archive,
    cifar100Labels,
  ),
  mnistLike(
    {
      id: "fashion-mnist",
      title: "Fashion-MNIST",
      about: "ten kinds of clothes (Xiao, Rasul, Vollgraf)",
      classNames: fashionMnistNames,
      unrelated: "kmnist-test",
      flat: false,
      mirrors: [
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
      ],
    },
    fashionMnistFiles,
  ),
  mnistLike(
    {
      id: "kmnist",
      title: "Kuzushiji-MNIST",
      about: "ten characters of old Japanese handwriting (Clanuwat et al.)",
      classNames: kmnistNames,
      unrelated: "mnist-test",
      flat: false,
      mirrors: ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
    },
    kmnistFiles,
  ),
  emnist("digits", "handwritten digits, four times as many as MNIST (Cohen et al.)", digitNames),
  // Labelled 1 to 26 in the files.
  emnist("letters", "handwritten letters, upper and lower case as one class (Cohen et al.)", emnistLettersNames, 1),
  emnist("balanced", "handwritten digits and letters in 47 classes of equal size (Cohen et al.)", emnistBalancedNames),
];

/**
 * The record of a data set.
 *
 * @throws WildmarkError `usage` when there is none of that name.
 */
export function findRecord(id: string): DatasetRecord {
  return byId(datasets, id, "data set");
}

/**
 * Loads a data set: draws it, or reads its files from the first place that holds them all (`dataDir`, WILDMARK_DATA,
 * the cache).
 *
 * @throws WildmarkError `usage` for an unknown name or a limit that is no positive integer; `bad-file` when files are
 *   missing or damaged; `bad-data` when they do not fit together, are known to be another set's or, unless `force` is
 *   said, are not known to be what was published.
 */
export async function loadDataset(id: string, options: LoadOptions = {}): Promise<LoadedDataset> {
  const record = findRecord(id);
  const train = limit("train", options.limits?.train);
  const test = limit("test", options.limits?.test);
  const { title, classNames } = record;
  if (record.kind === "built-in") {
    const counts = { train: train ?? record.trainCount, test: test ?? record.testCount };
    return { ...makeDataset({ id, title, classNames, ...record.render(options.seed ?? 0, counts) }), warnings: [] };
  }
  const found = await findFiles(record, options);
  if (found === undefined) {
    const example = `${record.folder}/${record.files[0]?.name}`;
    const hint = `run wildmark data fetch ${id}, or name a folder that holds ${example} and the rest with --data-dir`;
    throw await missing(record, options, hint);
  }
  const splits = record.decode((name) => {
    const file = found.files.get(name);
    if (file === undefined) throw new Error(`the record of ${id} decodes ${name} but does not list it`);
    return file;
  });
  const whole = makeDataset({ id, title, classNames, ...splits });
  // What was published is as it is: only files that may be others are looked through.
  const seen = found.doubts.length === 0 ? [] : findingsIn(whole);
  const doubts = [...found.doubts, ...seen];
  const warnings = [...found.warnings, ...seen];
  const some =
    train === undefined && test === undefined
      ? whole
      : makeDataset({ id, title, classNames, train: first(whole.train, train), test: first(whole.test, test) });
  return { ...some, ...(doubts.length === 0 ? {} : { doubts }), warnings };
}

/** Images that are no data set to train on: pictures for marks. */
export interface ImageSet extends Images {
  readonly id: string;
  readonly title: string;
  readonly warnings: readonly string[];
}

interface RecordOfImages {
  readonly id: string;
  readonly title: string;
}

/** Pictures that Wildmark draws itself. */
interface BuiltInImages extends RecordOfImages {
  readonly kind: "built-in";
  readonly render: (seed: number) => Images;
}

/**
 * Pictures in one IDX file, at `DIR/folder/file`; the folder is the id of the data set that they are the test images
 * of.
 */
interface ImagesInFile extends RecordOfImages {
  readonly kind: "file";
  readonly folder: string;
  readonly file: KnownFile;
}

export const imageSets: readonly (BuiltInImages | ImagesInFile)[] = [
  { kind: "built-in", id: "shapes", title: "Rendered shapes", render: (seed) => renderShapes(2_000, seed) },
  {
    kind: "file",
    id: "kmnist-test",
    title: "Kuzushiji-MNIST, test images",
    folder: "kmnist",
    file: named(kmnistFiles, "t10k-images-idx3-ubyte.gz"),
  },
  {
    kind: "file",
    id: "mnist-test",
    title: "MNIST, test images",
    folder: "mnist",
    file: named(mnistFiles, "t10k-images-idx3-ubyte.gz"),
  },
];

/**
 * Loads an image set: `shapes` (built in), `kmnist-test` (`DIR/kmnist/t10k-images-idx3-ubyte.gz`) or `mnist-test`.
 *
 * @throws WildmarkError `usage` for an unknown name, `bad-file` when its file is missing or damaged, `bad-data` when it
 *   is known to be another or, unless `force` is said, not known to be what was published.
 */
export async function loadImages(id: string, options: LoadOptions = {}): Promise<ImageSet> {
  const record = byId(imageSets, id, "image set");
  if (record.kind === "built-in") return drawn(record, options);
  const found = await read(record, options);
  if (found !== undefined) return found;
  const { folder, file } = record;
  const hint = `run wildmark data fetch ${folder}, or put ${folder}/${file.name} into a folder and name that with --data-dir`;
  throw await missing(fileSetOf(record), options, hint);
}

/**
 * The pictures of another domain that belong to a data set: KMNIST's test images for `mnist`, MNIST's for CIFAR, the
 * built-in shapes for `digits`. Undefined when they lie in files that are nowhere on this machine; the caller may fall
 * back to `shapes`.
 *
 * @throws WildmarkError `usage` for an unknown data set, `bad-file` when the file is there but damaged.
 */
export async function findUnrelated(datasetId: string, options: LoadOptions = {}): Promise<ImageSet | undefined> {
  const record = byId(imageSets, findRecord(datasetId).unrelated, "image set");
  return record.kind === "built-in" ? drawn(record, options) : read(record, options);
}

function drawn({ id, title, render }: BuiltInImages, { seed = 0 }: LoadOptions): ImageSet {
  const { shape, count, pixels } = render(seed);
  return { id, title, shape, count, pixels, warnings: [] };
}

async function read(record: ImagesInFile, options: LoadOptions): Promise<ImageSet | undefined> {
  const { id, title, file } = record;
  const found = await findFiles(fileSetOf(record), options);
  const local = found?.files.get(file.name);
  if (found === undefined || local === undefined) return undefined;
  const { doubts, warnings } = found;
  return { id, title, ...imagesIn(local), ...(doubts.length === 0 ? {} : { doubts }), warnings };
}

/** Never in the data folder itself: the file has the name of one of its siblings'. */
function fileSetOf({ folder, file }: ImagesInFile): FileSet {
  return { id: folder, folder, flat: false, files: [file] };
}

function named(files: readonly KnownFile[], name: string): KnownFile {
  const file = files.find((each) => each.name === name);
  if (file === undefined) throw new Error(`no file is called ${name}`);
  return file;
}

/** How a set lies in MNIST's four files. */
interface IdxSplits {
  /** What the names of the training files begin with. */
  readonly train: string;
  readonly test: string;
  readonly classes: number;
  /** The label of the first class in the files; default 0. */
  readonly firstLabel?: number;
  /** Whether rows and columns are exchanged, as in EMNIST. */
  readonly transposed?: boolean;
}

function decodeIdxSplits(file: (name: string) => LocalFile, splits: IdxSplits): Splits {
  const { classes, firstLabel = 0, transposed = false } = splits;
  const split = (name: string): LabelledImages => {
    const images = imagesIn(file(`${name}-images-idx3-ubyte.gz`), transposed);
    return { ...images, classes, labels: labelsIn(file(`${name}-labels-idx1-ubyte.gz`), firstLabel) };
  };
  return { train: split(splits.train), test: split(splits.test) };
}

/** Labels counted from 0, whatever the file counts from. */
function labelsIn({ bytes, path }: LocalFile, firstLabel: number): Uint16Array {
  const { data } = decodeIdxLabels(bytes, path);
  const stray = data.findIndex((label) => label < firstLabel);
  if (stray >= 0) {
    throw new WildmarkError("bad-data", `${path}: label ${stray} is ${data[stray]}, expected ${firstLabel} or more`, {
      hint: "check that the label file belongs to this data set",
    });
  }
  return Uint16Array.from(data, (label) => label - firstLabel);
}

function imagesIn({ bytes, path }: LocalFile, transposed = false): Images {
  const { dims, data } = decodeIdxImages(bytes, path);
  const [count = 0, height = 0, width = 0] = dims;
  if (data.length === 0) throw new WildmarkError("bad-data", `${path} holds no images (${dims.join("x")})`);
  if (!transposed) return { shape: { channels: 1, height, width }, count, pixels: inMemory(data) };
  return {
    shape: { channels: 1, height: width, width: height },
    count,
    pixels: inMemory(transpose(data, height, width)),
  };
}

/** Exchanges rows and columns of every image. */
function transpose(images: Uint8Array, height: number, width: number): Uint8Array {
  const result = new Uint8Array(images.length);
  for (let i = 0; i < images.length; i++) {
    const within = i % (height * width);
    result[i] = images[i - within + (within % height) * width + Math.floor(within / height)] ?? 0;
  }
  return result;
}

function first(images: LabelledImages, count: number | undefined): LabelledImages {
  if (count === undefined || count >= images.count) return images;
  return select(
    images,
    Uint32Array.from({ length: count }, (_, i) => i),
  );
}

function limit(split: string, count: number | undefined): number | undefined {
  if (count === undefined || (Number.isInteger(count) && count > 0)) return count;
  throw new WildmarkError("usage", `the number of ${split} images must be a positive integer, found ${count}`);
}

function byId<T extends { readonly id: string }>(records: readonly T[], id: string, what: string): T {
  const record = records.find((candidate) => candidate.id === id);
  if (record !== undefined) return record;
  const known = records.map((candidate) => candidate.id).join(", ");
  throw new WildmarkError("usage", `there is no ${what} ${JSON.stringify(id)}`, { hint: `known: ${known}` });
}
