/**
 * @file From named arrays, of whatever container, to labelled images.
 *
 * People save images as bytes, as floats between 0 and 1, channels first or last, labels as numbers or one-hot. What
 * can be told apart for certain is accepted; a guess that could be wrong is an error that says how to be clear.
 */

import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import type { Tensor } from "../core/tensor.js";
import { MAX_CLASSES } from "./dataset.js";
import type { DecodedImages, DecodedSplits } from "./decoded.js";

export type Arrays = Map<string, Tensor>;

/** The names of the two arrays of one split. */
export interface ArrayPair {
  readonly images: string;
  readonly labels: string;
}

export interface ChosenArrays {
  readonly train: ArrayPair;
  readonly test: ArrayPair | undefined;
  /** Which splits were passed over or put to another use, for the user. */
  readonly notes: readonly string[];
}

export type Layout = "NHWC" | "NCHW";

export interface ArrayOptions {
  /** The order of the axes, where the sizes leave it open. */
  readonly layout?: Layout | undefined;
}

const pairs = (split: string): ArrayPair[] => [
  { images: `x_${split}`, labels: `y_${split}` },
  { images: `${split}_images`, labels: `${split}_labels` },
  { images: `${split}.images`, labels: `${split}.labels` },
];

/**
 * Finds the arrays by name: `x_train`/`y_train`, `train_images`/`train_labels`, `train.images`/`train.labels` or plain
 * `images`/`labels`, and the same of `test`; where there is no test split, those of `val`, `valid` or `validation` are
 * it. Others are ignored; a validation split that is not used is noted.
 *
 * @throws WildmarkError `bad-data` when there is no pair to train on; the message lists the names there are.
 */
export function chooseArrays(names: ReadonlyMap<string, unknown>, what: string): ChosenArrays {
  const has = ({ images, labels }: ArrayPair): boolean => names.has(images) && names.has(labels);
  const train = [...pairs("train"), { images: "images", labels: "labels" }].find(has);
  if (train !== undefined) {
    const test = pairs("test").find(has);
    const validation = ["val", "valid", "validation"].flatMap(pairs).find(has);
    if (validation === undefined) return { train, test, notes: [] };
    const words = `${validation.images} and ${validation.labels}`;
    return test === undefined
      ? { train, test: validation, notes: [`no test split: ${words} are the test images`] }
      : { train, test, notes: [`${words} are not used: beside a test split, no validation images are needed`] };
  }
  const found = [...names.keys()].slice(0, 8).map((name) => JSON.stringify(name.slice(0, 40)));
  throw new WildmarkError(
    "bad-data",
    `${what}: expected arrays named images and labels (or x_train, y_train, x_test, y_test), found ` +
      `${found.join(", ") || "none"}`,
    { hint: "for example np.savez(path, images=images, labels=labels)" },
  );
}

/**
 * Makes labelled images of arrays.
 *
 * Images are [N,H,W], [N,H,W,C] or [N,C,H,W] with 1 or 3 channels, of integers 0..255 or floats 0..1 or 0..255 (rounded
 * to the nearest of 256 levels); one scale holds for the whole file. Labels are [N] or [N,1] integers from 0 on, or
 * [N,classes] one-hot.
 *
 * @throws WildmarkError `bad-data` naming the array that is not of these kinds.
 */
export function imagesOf(
  arrays: ReadonlyMap<string, Tensor>,
  chosen: ChosenArrays,
  what: string,
  { layout }: ArrayOptions,
): DecodedSplits {
  const get = (name: string): Named => {
    const tensor = arrays.get(name);
    if (tensor === undefined) throw new Error(`${what}: ${name} was chosen but not read`);
    return { tensor, name: `${what}: ${name}` };
  };
  const splits = [chosen.train, chosen.test].flatMap((pair) => (pair === undefined ? [] : [pair]));
  // Before pixels are touched: a wrong shape or label is cheap to find.
  const parts = splits.map((pair) => {
    const images = get(pair.images);
    const form = formOf(images, layout);
    return { images, form, labels: labelsOf(get(pair.labels), form.count) };
  });
  const largest = Math.max(...parts.map(({ images }) => largestPixel(images)));
  const fractions = parts.some(({ images }) => isFloat(images.tensor)) && largest <= 1;
  const decoded = parts.map(({ images, form, labels }): DecodedImages => {
    const scale = fractions && isFloat(images.tensor) ? 255 : 1;
    const { shape, count } = form;
    return { shape, count, images: pixelsOf(images.tensor, form, scale), labels: labels.labels };
  });
  const [train, test] = decoded;
  if (train === undefined) throw new Error("no split was chosen");
  const classes = Math.max(...parts.map(({ labels }) => labels.classes));
  return { classes, train, test, notes: chosen.notes };
}

interface Named {
  readonly tensor: Tensor;
  /** File and array, for messages. */
  readonly name: string;
}

interface Form {
  readonly count: number;
  readonly shape: ImageShape;
  readonly layout: Layout;
}

const isChannels = (size: number): boolean => size === 1 || size === 3;

function formOf({ tensor: { dims }, name }: Named, asked: Layout | undefined): Form {
  const [count = 0, second = 0, third = 0, last = 0] = dims;
  const found = dims.join("x") || "a single number";
  if (dims.length !== 3 && dims.length !== 4) {
    throw unfit(name, `expected [N,H,W], [N,H,W,C] or [N,C,H,W] with 1 or 3 channels, found ${found}`);
  }
  if (count === 0 || second === 0 || third === 0 || (dims.length === 4 && last === 0)) {
    throw unfit(name, `it holds no images (${found})`);
  }
  if (dims.length === 3) return { count, shape: { channels: 1, height: second, width: third }, layout: "NCHW" };
  const first = isChannels(second);
  const final = isChannels(last);
  if (first && final && asked === undefined) {
    throw unfit(
      name,
      `${dims.join("x")} may be channels first or channels last`,
      "say which: the layout option of the reader, or save the images with the axes in the order [N,H,W]",
    );
  }
  const layout = first && final ? asked : first ? "NCHW" : final ? "NHWC" : undefined;
  if (layout === undefined) {
    throw unfit(name, `expected [N,H,W], [N,H,W,C] or [N,C,H,W] with 1 or 3 channels, found ${found}`);
  }
  return layout === "NCHW"
    ? { count, layout, shape: { channels: second, height: third, width: last } }
    : { count, layout, shape: { channels: last, height: second, width: third } };
}

function isFloat({ type }: Tensor): boolean {
  return type === "float32" || type === "float64";
}

/** The largest pixel, after all of them were found fit. */
function largestPixel({ tensor, name }: Named): number {
  const { type, data } = tensor;
  if (type === "bool" || type === "float16" || type === "bfloat16") {
    throw unfit(name, `expected integers, float32 or float64, found ${type}`, "save the images as uint8");
  }
  if (type === "uint8") return 255;
  let largest = 0;
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    // Written so that NaN is refused.
    if (!(value >= 0 && value <= 255)) {
      throw unfit(
        name,
        `expected pixels of 0 to 1 or 0 to 255, found ${value}`,
        "save the images before they are normalised, as uint8",
      );
    }
    if (value > largest) largest = value;
  }
  return largest;
}

/** Bytes in NCHW order. */
function pixelsOf({ data }: Tensor, { count, shape, layout }: Form, scale: number): Uint8Array {
  const { channels, height, width } = shape;
  if (data instanceof Uint8Array && (layout === "NCHW" || channels === 1)) return data;
  const area = height * width;
  const pixels = new Uint8Array(count * channels * area);
  for (let i = 0; i < pixels.length; i++) {
    const within = i % (channels * area);
    const from = layout === "NCHW" ? i : i - within + (within % area) * channels + Math.floor(within / area);
    pixels[i] = Math.round(Number(data[from]) * scale);
  }
  return pixels;
}

interface Labels {
  readonly labels: Uint16Array;
  readonly classes: number;
}

function labelsOf({ tensor, name }: Named, count: number): Labels {
  const [length = 0, second] = tensor.dims;
  if (tensor.dims.length < 1 || tensor.dims.length > 2 || length !== count) {
    const found = tensor.dims.join("x") || "a single number";
    throw unfit(name, `expected ${count} labels, [N], [N,1] or one-hot [N,classes], found ${found}`);
  }
  if (tensor.type === "float16" || tensor.type === "bfloat16")
    throw unfit(name, `labels of ${tensor.type} are not read`);
  return second === undefined || second === 1 ? numbered(tensor, name) : oneHot(tensor, second, name);
}

function numbered({ type, data }: Tensor, name: string): Labels {
  if (type === "bool" || type === "float32" || type === "float64") {
    throw unfit(name, `expected integers, found ${type}`, "save labels as integers: labels.astype(np.int64)");
  }
  const labels = new Uint16Array(data.length);
  let classes = 0;
  for (let i = 0; i < data.length; i++) {
    const label = Number(data[i]);
    if (label < 0 || label >= MAX_CLASSES) {
      throw unfit(name, `label ${i} is ${label}, expected one of 0 to ${MAX_CLASSES - 1}`);
    }
    labels[i] = label;
    if (label >= classes) classes = label + 1;
  }
  return { labels, classes };
}

function oneHot({ data, dims }: Tensor, classes: number, name: string): Labels {
  if (classes > MAX_CLASSES) throw unfit(name, `${classes} classes are more than ${MAX_CLASSES}`);
  const labels = new Uint16Array(dims[0] ?? 0);
  for (let i = 0; i < labels.length; i++) {
    let hot = -1;
    for (let label = 0; label < classes; label++) {
      const value = Number(data[i * classes + label]);
      if (value === 0) continue;
      if (value !== 1 || hot >= 0) throw unfit(name, `row ${i} is not one-hot: expected a single 1 among zeros`);
      hot = label;
    }
    if (hot < 0) throw unfit(name, `row ${i} is not one-hot: it is all zeros`);
    labels[i] = hot;
  }
  return { labels, classes };
}

function unfit(name: string, why: string, hint?: string): WildmarkError {
  return new WildmarkError("bad-data", `${name}: ${why}`, hint === undefined ? {} : { hint });
}
