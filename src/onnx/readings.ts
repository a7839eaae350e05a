/**
 * @file The readings of a model: every preprocessing under which it may have been trained, so that it can be asked
 * under each.
 *
 * A file seldom says what it expects, and what it says may be wrong or a lie. What people do to pixels before training
 * is a short list, though: a range, one of a few means and deviations, an order of axes and of colours. Whoever has
 * images to ask tries them all (`data/best-reading.ts`).
 */

import { HUB_FILES } from "./hub-config.js";
import type { ImageShape } from "../core/image.js";
import type { Dim } from "./graph.js";
import { type Model, withPreprocessing } from "./model.js";
import {
  type Field,
  fits,
  type Layout,
  layouts,
  type Preprocessing,
  type ResolvedPreprocessing,
  resolvePreprocessing,
} from "./preprocessing.js";

/** One full preprocessing, said or supposed. */
export interface Reading extends Preprocessing {
  /** In a few words: "as the file says", "0 to 255", "ImageNet's mean and deviation, BGR". */
  readonly name: string;
  /** Fields in which it departs from what the user said by flags or a sidecar. Empty for all that he left open. */
  readonly against: readonly Field[];
}

/** Mean and standard deviation of images, by channel and over all channels, for pixels in [0, 1]. */
export interface PixelStatistics {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly overall: { readonly mean: number; readonly std: number };
}

export interface ReadingsOptions {
  /** Of the images at hand: many models were trained with their data's own. */
  readonly statistics?: PixelStatistics;
  /** Also readings that go against flags: to tell a user that he is mistaken. Default: what a flag says is fixed. */
  readonly againstFlags?: boolean;
}

/**
 * Who vouches for a field (`ResolvedPreprocessing.from`): a flag or a caller, a sidecar, the file itself, or nobody.
 */
export type Voucher = "flag" | "sidecar" | "file" | "nobody";

export function voucherOf(from: string): Voucher {
  if (from === "assumed") return "nobody";
  if (from === "metadata" || HUB_FILES.some((name) => name === from)) return "file";
  return from.endsWith(".wildmark.json") ? "sidecar" : "flag";
}

/**
 * The plausible readings of a model for images of `shape`, none twice: first what flags, sidecar and file say or what
 * is assumed, then the usual ones, the more usual first. Two that differ by less than two grey levels count as one.
 *
 * Flags fix their fields: only the others vary. What a sidecar or the file says is one reading among others.
 */
export function plausibleReadings(
  model: Model,
  shape: ImageShape,
  options: ReadingsOptions = {},
): readonly [Reading, ...Reading[]] {
  const dims = model.graph.inputs[0]?.dims;
  const { from, ...said } = resolvePreprocessing(model.preprocessing, dims, shape);
  const first: Reading = {
    ...said,
    name: Object.values(from).every((source) => voucherOf(source) === "nobody") ? "as assumed" : "as said",
    against: [],
  };
  const vouched = (...vouchers: Voucher[]): Field[] =>
    fieldsOf(from).filter((field) => vouchers.includes(voucherOf(from[field])));
  const [fixed, byUser] = [vouched("flag"), vouched("flag", "sidecar")];
  const candidates: Reading[] = [];
  for (const layout of [said.layout, ...fittingLayouts(dims, shape)]) {
    for (const channelOrder of shape.channels === 3 ? bothOrders(said.channelOrder) : [said.channelOrder]) {
      for (const scale of scalesFor({ ...said, from }, shape.channels, options.statistics)) {
        const { range, name } = scale;
        // The means stand in the order in which the model takes the channels.
        const turned = channelOrder === "BGR" && scale.inRgb;
        const [mean, std] = [scale.mean, scale.std].map((values) => (turned ? values.toReversed() : values));
        const reading = { layout, channelOrder, range, mean: mean ?? [0], std: std ?? [1] };
        if (pixelScaling(reading, shape.channels) === undefined) continue;
        const place = [
          ...(channelOrder === "BGR" ? ["BGR"] : []),
          ...(layout === said.layout && !byUser.includes("layout") ? [] : [layout]),
        ];
        const against = byUser.filter((field) => !sameField(field, reading, said));
        candidates.push({ ...reading, name: [name, ...place].join(", "), against });
      }
    }
  }
  const wanted = candidates.filter(
    ({ against }) => options.againstFlags === true || !against.some((field) => fixed.includes(field)),
  );
  // Of two forms of one reading, the one that keeps to what was said.
  const ordered = [
    ...wanted.filter((one) => one.against.length === 0),
    ...wanted.filter((one) => one.against.length > 0),
  ];
  const distinct: [Reading, ...Reading[]] = [first];
  for (const reading of ordered) {
    if (!distinct.some((other) => sameReading(other, reading, shape))) distinct.push(reading);
  }
  return distinct;
}

/** The model as it is asked under a reading: all that anybody says of its preprocessing is overruled. */
export function readAs(model: Model, reading: Preprocessing): Model {
  const { layout, range, mean, std, channelOrder } = reading;
  return withPreprocessing(model, { from: "reading", says: { layout, range, mean, std, channelOrder } });
}

/** The fields in which a reading differs from `used`. */
export function readingFields(reading: Preprocessing, used: Preprocessing): Partial<Preprocessing> {
  const { layout, range, mean, std, channelOrder } = reading;
  const fields = { layout, range, mean, std, channelOrder };
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !sameField(field as Field, reading, used)));
}

/** The flags that say the same, as they are typed: "--range 0,255". */
export function readingFlags(reading: Preprocessing, used: Preprocessing): string {
  const flag = (name: string, value: string): string => `--${name}${value.startsWith("-") ? "=" : " "}${value}`;
  return Object.entries(readingFields(reading, used))
    .map(([field, value]) => flag(field === "channelOrder" ? "channel-order" : field, String(value)))
    .join(" ");
}

/** What becomes of a pixel p in [0, 1] by channel, in the order in which the model takes them: factor · p + shift. */
export interface PixelScaling {
  readonly factors: readonly number[];
  readonly shifts: readonly number[];
}

/** Undefined where mean or deviation are for another number of channels. */
export function pixelScaling({ range, mean, std }: Preprocessing, channels: number): PixelScaling | undefined {
  const means = perChannel(mean, channels);
  const deviations = perChannel(std, channels);
  if (means === undefined || deviations === undefined) return undefined;
  const [low, high] = range;
  return {
    factors: deviations.map((sigma) => (high - low) / sigma),
    shifts: deviations.map((sigma, c) => (low - (means[c] ?? 0)) / sigma),
  };
}

function perChannel(values: readonly number[], channels: number): readonly number[] | undefined {
  if (values.length === channels) return values;
  return values.length === 1 ? new Array<number>(channels).fill(values[0] ?? 0) : undefined;
}

function fieldsOf(from: Readonly<Record<Field, string>>): readonly Field[] {
  return Object.keys(from) as Field[];
}

function sameField(field: Field, a: Preprocessing, b: Preprocessing): boolean {
  const [one, other] = [a[field], b[field]];
  if (typeof one === "string" || typeof other === "string") return one === other;
  const length = Math.max(one.length, other.length);
  return Array.from({ length }, (_, i) => i).every((i) => (one[i] ?? one[0]) === (other[i] ?? other[0]));
}

/** Two grey levels: as far as the statistics of the training and the test images of one data set lie apart. */
const ROUNDING = 2 / 255;

/**
 * Whether two readings give a model the same images, but for rounding.
 *
 * @param within by how much black and white may differ, as a share of the way between them; default two grey levels.
 */
export function sameReading(
  a: Preprocessing,
  b: Preprocessing,
  { channels }: ImageShape,
  within: number = ROUNDING,
): boolean {
  const one = channels === 1 ? a.layout.replace("flat-NHWC", "flat") : a.layout;
  const other = channels === 1 ? b.layout.replace("flat-NHWC", "flat") : b.layout;
  if (one !== other || (channels === 3 && a.channelOrder !== b.channelOrder)) return false;
  const [first, second] = [pixelScaling(a, channels), pixelScaling(b, channels)];
  if (first === undefined || second === undefined) return false;
  return first.factors.every((factor, c) => {
    const near = Math.abs(factor) * within;
    const black = (first.shifts[c] ?? 0) - (second.shifts[c] ?? 0);
    return Math.abs(black) < near && Math.abs(black + factor - (second.factors[c] ?? 0)) < near;
  });
}

function fittingLayouts(dims: readonly Dim[] | undefined, shape: ImageShape): readonly Layout[] {
  return layouts.filter((layout) => fits(dims, layout, shape));
}

function bothOrders(first: "RGB" | "BGR"): readonly ("RGB" | "BGR")[] {
  return first === "RGB" ? ["RGB", "BGR"] : ["BGR", "RGB"];
}

/** How pixels are scaled. */
interface Scale {
  readonly name: string;
  readonly range: readonly [low: number, high: number];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /**
   * Whether mean and deviation stand in the order red, green, blue; else in that in which the model takes the channels.
   */
  readonly inRgb: boolean;
}

/** A mean and a deviation for pixels in [0, 1]. */
interface Norm {
  readonly name: string;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const HALF: Norm = { name: "mean and deviation 0.5", mean: [0.5], std: [0.5] };

/** torchvision's, of ImageNet. */
const IMAGENET: Norm = {
  name: "ImageNet's mean and deviation",
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/**
 * Those that public training scripts are full of. Of CIFAR-10's deviations the smaller ones are means over the images.
 */
const COLOUR: readonly Norm[] = [
  IMAGENET,
  { name: "CIFAR-10's mean and deviation", mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
  { name: "CIFAR-10's mean, smaller deviation", mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] },
  { name: "CIFAR-100's mean and deviation", mean: [0.5071, 0.4867, 0.4408], std: [0.2675, 0.2565, 0.2761] },
];

const GREY: readonly Norm[] = [
  { name: "MNIST's mean and deviation", mean: [0.1307], std: [0.3081] },
  { name: "Fashion-MNIST's mean and deviation", mean: [0.286], std: [0.353] },
];

/** The plain ranges, the usual ones first; [1, 0] is black on white. */
const RANGES: readonly (readonly [low: number, high: number])[] = [
  [0, 1],
  [0, 255],
  [-1, 1],
  [1, 0],
  [-0.5, 0.5],
  [-128, 127],
  [255, 0],
  [1, -1],
];

function scalesFor(
  said: ResolvedPreprocessing,
  channels: number,
  statistics: PixelStatistics | undefined,
): readonly Scale[] {
  const own: Norm[] =
    statistics === undefined
      ? []
      : [
          { name: "the data's own mean and deviation", ...rounded(statistics) },
          {
            name: "the data's own mean and deviation over all channels",
            ...rounded({ mean: [statistics.overall.mean], std: [statistics.overall.std] }),
          },
        ];
  const ownMean: Norm[] =
    statistics === undefined
      ? []
      : [{ name: "the data's own mean taken off", ...rounded({ mean: statistics.mean, std: [1] }) }];
  const norms = [...(channels === 3 ? COLOUR : channels === 1 ? GREY : []), HALF, ...own];
  const [unit, bytes] = [[0, 1] as const, [0, 255] as const];
  const ofBytes = (norm: Norm): Scale => {
    const mean = norm.mean.map((value) => tidy(255 * value));
    return { name: `${norm.name}, in units of 255`, range: bytes, mean, std: [1], inRgb: true };
  };
  const usual = [
    ...RANGES.slice(0, 3).map(plain),
    ...norms.map((norm) => normed(unit, norm)),
    ...ownMean.map((norm) => ({ ...normed(unit, norm), std: [1] })),
    ...(channels === 3 ? [ofBytes({ ...IMAGENET, name: "ImageNet's mean taken off" })] : []),
    ...ownMean.map(ofBytes),
    ...RANGES.slice(3).map(plain),
    ...own.slice(0, 1).map((norm) => normed([1, 0], norm)),
  ];
  // What was said of one field may be right where another was left open, or is wrong.
  const { range, mean, std, from } = said;
  const isSaid = (field: Field): boolean => voucherOf(from[field]) !== "nobody";
  const saidNorm = { mean, std, inRgb: false };
  const beside = (norm: Norm, field: "mean" | "std"): Scale => {
    const name = `${norm.name}, but the ${field === "mean" ? "mean" : "deviation"} as said`;
    return { ...normed(range, norm), [field]: said[field], name, inRgb: false };
  };
  return [
    ...(isSaid("range") || isSaid("mean") || isSaid("std") ? [{ name: "as said", range, ...saidNorm }] : []),
    ...usual,
    ...(isSaid("range") ? [plain(range), ...norms.map((norm) => normed(range, norm))] : []),
    ...(isSaid("mean") || isSaid("std")
      ? RANGES.map((other) => ({ name: `${rangeName(other)}, mean and deviation as said`, range: other, ...saidNorm }))
      : []),
    ...(isSaid("mean") && !isSaid("std") ? norms.map((norm) => beside(norm, "mean")) : []),
    ...(isSaid("std") && !isSaid("mean") ? norms.map((norm) => beside(norm, "std")) : []),
  ];
}

function plain(range: readonly [number, number]): Scale {
  return { name: rangeName(range), range, mean: [0], std: [1], inRgb: true };
}

function rangeName([low, high]: readonly [number, number]): string {
  return `${low} to ${high}`;
}

/** A mean and a deviation of pixels in [0, 1], in the units of another range. */
function normed(range: readonly [number, number], { name, mean, std }: Norm): Scale {
  const [low, high] = range;
  const usual = low === 0 && high === 1;
  return {
    name: usual ? name : `${rangeName(range)}, ${name}`,
    range,
    mean: mean.map((value) => tidy(low + value * (high - low))),
    std: std.map((value) => tidy(value * Math.abs(high - low))),
    inRgb: true,
  };
}

/** Four digits are what people write, and what a flag says again. */
function rounded({ mean, std }: Omit<Norm, "name">): Omit<Norm, "name"> {
  const four = (value: number): number => Number(value.toFixed(4));
  return { mean: mean.map(four), std: std.map((value) => Math.max(1e-4, four(value))) };
}

function tidy(value: number): number {
  return Number(value.toPrecision(7));
}
