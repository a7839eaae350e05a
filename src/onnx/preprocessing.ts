/**
 * @file What a model expects of its images: layout, range of the pixels, mean and standard deviation, order of the
 * channels. Part of a model's description, since the file seldom says.
 *
 * It is said, in this order, by whoever calls (flags), by `model.wildmark.json` beside the file, by the file's own
 * metadata, by what a model hub keeps beside it (`hub-config.ts`), or it is assumed. A field that one source leaves open
 * is looked up in the next.
 *
 *     input = ((pixel / 255) · (high − low) + low − mean) / std        for pixel in 0 … 255, by channel
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import type { Dim } from "./graph.js";

/**
 * `NCHW` and `NHWC` are images with channels, `NHW` images without, `flat` rows of numbers in the order of one of them.
 */
export const layouts = ["NCHW", "NHWC", "NHW", "flat", "flat-NHWC"] as const;
export type Layout = (typeof layouts)[number];

const numbers = z.array(z.number()).min(1);

/** The same in JSON, in a sidecar file and in metadata. Every field may be left out. */
export const preprocessingSchema = z.strictObject({
  layout: z.enum(layouts).optional(),
  range: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low !== high, "the two ends of the range are the same")
    .optional(),
  mean: numbers.optional(),
  std: numbers.refine((values) => values.every((value) => value > 0), "a standard deviation is above 0").optional(),
  channelOrder: z.enum(["RGB", "BGR"]).optional(),
});

export interface Preprocessing {
  readonly layout: Layout;
  /** What pixel values 0 and 255 become before the mean is taken off. */
  readonly range: readonly [low: number, high: number];
  /** In units of the range, one number a channel in the order in which the model takes them, or one for all. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly channelOrder: "RGB" | "BGR";
}

export type Field = keyof Preprocessing;

/** What one source says, and what messages call it: "--mean", "model.wildmark.json", "metadata". */
export interface PreprocessingSource {
  readonly from: string;
  readonly says: { readonly [F in Field]?: Preprocessing[F] | undefined };
}

/** A preprocessing with where each field comes from: a source's name, or "assumed". */
export interface ResolvedPreprocessing extends Preprocessing {
  readonly from: Readonly<Record<Field, string>>;
}

const ASSUMED = { range: [0, 1], mean: [0], std: [1], channelOrder: "RGB" } as const;

/**
 * What `sources`, the first that speaks of a field, say of a model whose input is `dims`; the rest is assumed: pixels
 * from 0 to 1, and the layout that fits images of `shape`, or that the dimensions suggest.
 */
export function resolvePreprocessing(
  sources: readonly PreprocessingSource[],
  dims: readonly Dim[] | undefined,
  shape?: ImageShape,
): ResolvedPreprocessing {
  const fieldOf = <F extends Field>(field: F, assumed: Preprocessing[F]): [Preprocessing[F], string] => {
    for (const { from, says } of sources) {
      const { [field]: value } = says;
      if (value !== undefined) return [value, from];
    }
    return [assumed, "assumed"];
  };
  const [layout, layoutFrom] = fieldOf("layout", layoutFor(dims, shape));
  const [range, rangeFrom] = fieldOf("range", ASSUMED.range);
  const [mean, meanFrom] = fieldOf("mean", ASSUMED.mean);
  const [std, stdFrom] = fieldOf("std", ASSUMED.std);
  const [channelOrder, orderFrom] = fieldOf("channelOrder", ASSUMED.channelOrder);
  const from = { layout: layoutFrom, range: rangeFrom, mean: meanFrom, std: stdFrom, channelOrder: orderFrom };
  return { layout, range, mean, std, channelOrder, from };
}

/**
 * The layout in which images of `shape` fit `dims`; without a shape, or where none fits, what the dimensions suggest.
 */
function layoutFor(dims: readonly Dim[] | undefined, shape: ImageShape | undefined): Layout {
  const fitting =
    shape === undefined ? undefined : (["NCHW", "NHWC", "NHW", "flat"] as const).find((l) => fits(dims, l, shape));
  return fitting ?? guessLayout(dims) ?? "NCHW";
}

/**
 * Whether images of `shape` in `layout` fit an input of `dims`; a dimension that the file leaves open takes any size.
 */
export function fits(dims: readonly Dim[] | undefined, layout: Layout, shape: ImageShape): boolean {
  if (dims === undefined) return layout === "NCHW";
  const { channels, height, width } = shape;
  const agree = (expected: readonly number[]): boolean =>
    dims.length === expected.length + 1 &&
    expected.every((size, i) => typeof dims[i + 1] !== "number" || dims[i + 1] === size);
  switch (layout) {
    case "NCHW":
      return agree([channels, height, width]);
    case "NHWC":
      return agree([height, width, channels]);
    case "NHW":
      return channels === 1 && agree([height, width]);
    default: {
      const pixels = channels * height * width;
      // [N,784], and [N,784,1] or [N,1,784] of those who keep their axes
      return (
        agree([pixels]) || [1, 2].some((axis) => dims[axis] === 1 && agree(axis === 1 ? [1, pixels] : [pixels, 1]))
      );
    }
  }
}

/**
 * Guesses the layout of an image input from its dimensions: images have 1, 3 or 4 channels.
 *
 * @returns undefined where the rank is unknown or both or neither axis could be the channels.
 */
export function guessLayout(dims: readonly Dim[] | undefined): Layout | undefined {
  if (dims === undefined) return undefined;
  if (dims.length === 2) return "flat";
  if (dims.length === 3) return dims[1] === 1 || dims[2] === 1 ? "flat" : "NHW";
  if (dims.length !== 4) return undefined;
  const first = mayBeChannels(dims[1]);
  const last = mayBeChannels(dims[3]);
  if (first === last) return undefined;
  return first ? "NCHW" : "NHWC";
}

function mayBeChannels(dim: Dim): boolean {
  return dim === 1 || dim === 3 || dim === 4;
}

/** Key in a file's `metadata_props` under which Wildmark keeps and looks for a preprocessing, as JSON. */
export const METADATA_KEY = "wildmark.preprocessing";

/** Of the keys that ONNX itself defines for images (github.com/onnx/onnx, docs/MetadataProps.md). */
const NOMINAL_RANGES: Readonly<Record<string, readonly [number, number]>> = {
  NominalRange_0_255: [0, 255],
  Normalized_0_1: [0, 1],
  Normalized_1_1: [-1, 1],
};

/**
 * What a file's own metadata say.
 *
 * @throws WildmarkError `bad-file` where Wildmark's key holds something else.
 */
export function preprocessingInMetadata(metadata: ReadonlyMap<string, string>): readonly PreprocessingSource[] {
  const own = metadata.get(METADATA_KEY);
  const range = NOMINAL_RANGES[metadata.get("Image.NominalPixelRange") ?? ""];
  const bgr = metadata.get("Image.BitmapPixelFormat")?.toLowerCase().startsWith("bgr");
  const standard = { ...(range && { range }), ...(bgr && { channelOrder: "BGR" as const }) };
  return [
    ...(own === undefined ? [] : [parsePreprocessing(own, "metadata")]),
    ...(Object.keys(standard).length === 0 ? [] : [{ from: "metadata", says: standard }]),
  ];
}

/**
 * Reads JSON of `preprocessingSchema`.
 *
 * @throws WildmarkError `bad-file` naming each field that is wrong.
 */
export function parsePreprocessing(json: string, from: string): PreprocessingSource {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new WildmarkError("bad-file", `${from}: the preprocessing is no JSON.`, { hint: FORM, cause });
  }
  const parsed = preprocessingSchema.safeParse(value);
  if (parsed.success) return { from, says: parsed.data };
  const issues = parsed.error.issues.map(({ path, message }) => [...path, message].join(": "));
  throw new WildmarkError("bad-file", `${from}: ${issues.join("; ")}.`, { hint: FORM });
}

const FORM = 'Expected such as {"range": [0, 1], "mean": [0.49, 0.48, 0.45], "std": [0.25], "layout": "NCHW"}.';

/**
 * What somebody says of a model's preprocessing, assumptions left out: what a sidecar file keeps. Undefined for
 * nothing.
 */
export function saidPreprocessing(sources: readonly PreprocessingSource[]): PreprocessingSource["says"] | undefined {
  const says = Object.assign({}, ...sources.toReversed().map((source) => withoutUndefined(source.says)));
  return Object.keys(says).length === 0 ? undefined : says;
}

function withoutUndefined(says: PreprocessingSource["says"]): PreprocessingSource["says"] {
  return Object.fromEntries(Object.entries(says).filter(([, value]) => value !== undefined));
}

/** One line a field, for people: ["range", "0 to 255 (--range)"]. */
export function preprocessingInWords(resolved: ResolvedPreprocessing): (readonly [field: string, words: string])[] {
  const { layout, range, mean, std, channelOrder, from } = resolved;
  const several = (values: readonly number[]): string => values.join(", ");
  return [
    ["layout", `${layout} (${from.layout})`],
    ["range", `${range[0]} to ${range[1]} (${from.range})`],
    ["mean", `${several(mean)} (${from.mean})`],
    ["std", `${several(std)} (${from.std})`],
    ["channel order", `${channelOrder} (${from.channelOrder})`],
  ];
}
