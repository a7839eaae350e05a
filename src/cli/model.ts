/** @file The flags that say what a model expects of its images, and the model that they mean. */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { type Model, withPreprocessing } from "../onnx/model.js";
import { readModelFile, sidecarPath } from "../onnx/model-file.js";
import { layouts, type PreprocessingSource, preprocessingSchema, saidPreprocessing } from "../onnx/preprocessing.js";
import { requireWritable } from "./outputs.js";

/** What the model's file does not say of its preprocessing; each flag goes before what a sidecar or the metadata say. */
export const modelFlags = {
  mean: z.string().optional().meta({
    description: "mean that is taken off the pixels, in units of the range: 0.5, or one a channel: 0.49,0.48,0.45",
    placeholder: "NUMBERS",
  }),
  std: z.string().optional().meta({
    description: "standard deviation that the pixels are then divided by: 0.5, or one a channel",
    placeholder: "NUMBERS",
  }),
  range: z.string().optional().meta({
    description: "what black and white are before that: 0-1 (assumed), 0-255, -1,1",
    placeholder: "LOW-HIGH",
  }),
  layout: z
    .string()
    .optional()
    .meta({
      description: `order of the axes: ${layouts.join(", ")} (assumed: what fits the images)`,
      placeholder: "LAYOUT",
    }),
  channelOrder: z.enum(["RGB", "BGR"]).optional().describe("order of the colours that the model takes"),
};

export type ModelFlags = z.infer<z.ZodObject<typeof modelFlags>>;

/** The flag that starts training in the middle of a model. */
export const trainFromFlag = {
  trainFrom: z.string().optional().meta({
    description: "freeze all that this node (or value) is computed from, and train the rest",
    placeholder: "NODE",
  }),
};

/** The flag of commands that train on a given model, or judge it. */
export const asReadFlag = {
  asRead: z
    .boolean()
    .default(false)
    .describe("take the model as it is read, although another preprocessing fits the data clearly better"),
};

/** Reads a model and adds what the flags say of it; what reading changed is noted. */
export async function openModel(path: string, flags: ModelFlags, progress: Progress): Promise<Model> {
  const sources = preprocessingOf(flags);
  const model = await readModelFile(path);
  for (const note of model.notes) progress.note(`note: ${note}`);
  return sources.reduceRight(withPreprocessing, model);
}

/** Whether the preprocessing of a model can be written beside `out`, where it has any to write (`requireWritable`). */
export async function requireSidecarWritable(out: string, model: Model, force: boolean): Promise<void> {
  if (saidPreprocessing(model.preprocessing) !== undefined) await requireWritable(sidecarPath(out), force);
}

/**
 * What the flags say, one source for each flag that was given.
 *
 * @throws WildmarkError `usage` for what is no number, range or layout.
 */
export function preprocessingOf(flags: ModelFlags): readonly PreprocessingSource[] {
  const { mean, std, range, layout, channelOrder } = flags;
  const given: Readonly<Record<string, unknown>> = {
    ...(mean === undefined ? {} : { mean: numbersOf("--mean", mean) }),
    ...(std === undefined ? {} : { std: numbersOf("--std", std) }),
    ...(range === undefined ? {} : { range: rangeOf(range) }),
    ...(layout === undefined ? {} : { layout }),
    ...(channelOrder === undefined ? {} : { channelOrder }),
  };
  return Object.entries(given).map(([field, value]) => {
    const flag = field === "channelOrder" ? "--channel-order" : `--${field}`;
    const parsed = preprocessingSchema.safeParse({ [field]: value });
    if (parsed.success) return { from: flag, says: parsed.data };
    throw refused(flag, String(flags[field as keyof ModelFlags]), parsed.error.issues[0]?.message ?? "cannot be used");
  });
}

function numbersOf(flag: string, text: string): number[] {
  const values = text.split(",").map((item) => (item.trim() === "" ? Number.NaN : Number(item)));
  if (values.every(Number.isFinite)) return values;
  throw refused(flag, text, "expected a number, or numbers with commas between");
}

/** "0-255", "0,255", "-1,1" */
function rangeOf(text: string): number[] {
  const [, low, high] = /^\s*(-?[\d.]+)\s*[-,]\s*(-?[\d.]+)\s*$/.exec(text) ?? [];
  const values = [Number(low), Number(high)];
  if (values.every(Number.isFinite)) return values;
  throw refused("--range", text, "expected two numbers, such as 0-255 or -1,1");
}

function refused(flag: string, text: string, why: string): WildmarkError {
  return new WildmarkError("usage", `${flag} ${text}: ${why}.`);
}
