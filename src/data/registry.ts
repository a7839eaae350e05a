/**
 * @file The data sets and image sets that Wildmark knows, as records.
 *
 * Adding a data set is adding one record: how to find, fetch, check and list it follows from that.
 */

import { WildmarkError } from "../core/errors.js";
import { type DownloadableFile, type KnownFile, kmnistTestImages, mnistFiles } from "./checksums.js";
import { type Dataset, type ImageShape, type Images, type LabelledImages, makeDataset, select } from "./dataset.js";
import { renderDigits } from "./digits.js";
import { decodeIdxImages, decodeIdxLabels } from "./idx.js";
import { inMemory } from "./pixels.js";
import { findFiles, type LocalFile, missing, type PlaceOptions } from "./places.js";
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
  /** What the user should be told, such as a file whose checksum is not the published one. */
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

/** A data set that lies in files. */
export interface DownloadRecord extends RecordBase {
  readonly kind: "download";
  /** Addresses of folders that hold the files, tried in this order. */
  readonly mirrors: readonly string[];
  readonly files: readonly DownloadableFile[];
  /** Decodes the files, asked for by their published names. */
  readonly decode: (file: (name: string) => LocalFile) => Splits;
}

export type DatasetRecord = BuiltInRecord | DownloadRecord;

const grey28: ImageShape = { channels: 1, height: 28, width: 28 };

export const datasets: readonly DatasetRecord[] = [
  {
    kind: "built-in",
    id: "digits",
    title: "Rendered digits",
    about: "ten handwritten-looking digits, drawn by Wildmark itself; nothing to download",
    shape: grey28,
    classes: 10,
    trainCount: 10_000,
    testCount: 2_000,
    unrelated: "shapes",
    render: (seed, counts) => ({
      train: renderDigits("train", counts.train, seed),
      test: renderDigits("test", counts.test, seed),
    }),
  },
  {
    kind: "download",
    id: "mnist",
    title: "MNIST",
    about: "handwritten digits (LeCun, Cortes, Burges), the data set of the paper",
    shape: grey28,
    classes: 10,
    trainCount: 60_000,
    testCount: 10_000,
    unrelated: "kmnist-test",
    mirrors: ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
    files: mnistFiles,
    decode: (file) => decodeIdxSplits(file, 10),
  },
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
 * Loads a data set: draws it, or reads its files from the first place that holds them all (`dataDir`, WILDMARK_DATA, the
 * cache).
 *
 * @throws WildmarkError `usage` for an unknown name or a limit that is no positive integer; `bad-file` when files are
 *   missing or damaged; `bad-data` when they do not fit together.
 */
export async function loadDataset(id: string, options: LoadOptions = {}): Promise<LoadedDataset> {
  const record = findRecord(id);
  const train = limit("train", options.limits?.train);
  const test = limit("test", options.limits?.test);
  const { title } = record;
  if (record.kind === "built-in") {
    const counts = { train: train ?? record.trainCount, test: test ?? record.testCount };
    return { ...makeDataset({ id, title, ...record.render(options.seed ?? 0, counts) }), warnings: [] };
  }
  const found = await findFiles(id, record.files, true, options);
  if (found === undefined) {
    const example = `${id}/${record.files[0]?.name}`;
    const hint = `run wildmark data fetch ${id}, or name a folder that holds ${example} and the rest with --data-dir`;
    throw await missing(id, record.files, true, options, hint);
  }
  const splits = record.decode((name) => {
    const file = found.files.get(name);
    if (file === undefined) throw new Error(`the record of ${id} decodes ${name} but does not list it`);
    return file;
  });
  const whole = makeDataset({ id, title, ...splits });
  const { warnings } = found;
  if (train === undefined && test === undefined) return { ...whole, warnings };
  return { ...makeDataset({ id, title, train: first(whole.train, train), test: first(whole.test, test) }), warnings };
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

/** Pictures in one IDX file, at `DIR/folder/file`. */
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
    file: kmnistTestImages,
  },
];

/**
 * Loads an image set: `shapes` (built in) or `kmnist-test` (`DIR/kmnist/t10k-images-idx3-ubyte.gz`).
 *
 * @throws WildmarkError `usage` for an unknown name, `bad-file` when its file is missing or damaged.
 */
export async function loadImages(id: string, options: LoadOptions = {}): Promise<ImageSet> {
  const record = byId(imageSets, id, "image set");
  if (record.kind === "built-in") return drawn(record, options);
  const found = await read(record, options);
  if (found !== undefined) return found;
  const { folder, file } = record;
  const hint = `put ${folder}/${file.name} into a folder and name that with --data-dir`;
  throw await missing(folder, [file], false, options, hint);
}

/**
 * The pictures of another domain that belong to a data set: KMNIST's test images for `mnist`, the built-in shapes for
 * `digits`. Undefined when they lie in files that are nowhere on this machine; the caller may fall back to `shapes`.
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

async function read({ id, title, folder, file }: ImagesInFile, options: LoadOptions): Promise<ImageSet | undefined> {
  // Never in the data folder itself: the file has the name of one of MNIST's.
  const found = await findFiles(folder, [file], false, options);
  const local = found?.files.get(file.name);
  if (found === undefined || local === undefined) return undefined;
  return { id, title, ...imagesIn(local), warnings: found.warnings };
}

/** Both splits of a set in MNIST's four files. */
function decodeIdxSplits(file: (name: string) => LocalFile, classes: number): Splits {
  const split = (name: string): LabelledImages => {
    const images = file(`${name}-images-idx3-ubyte.gz`);
    const labels = file(`${name}-labels-idx1-ubyte.gz`);
    return { ...imagesIn(images), classes, labels: Uint16Array.from(decodeIdxLabels(labels.bytes, labels.path).data) };
  };
  return { train: split("train"), test: split("t10k") };
}

function imagesIn({ bytes, path }: LocalFile): Images {
  const { dims, data } = decodeIdxImages(bytes, path);
  const [count = 0, height = 0, width = 0] = dims;
  if (data.length === 0) throw new WildmarkError("bad-data", `${path} holds no images (${dims.join("x")})`);
  return { shape: { channels: 1, height, width }, count, pixels: inMemory(data) };
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
