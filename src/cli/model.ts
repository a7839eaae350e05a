/**
 * @file The flags that say what a model expects of its images and how its answers are read, and the model that they
 * mean.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { classesFrom, type Head } from "../onnx/head.js";
import { type Model, withHead, withPreprocessing } from "../onnx/model.js";
import { readModelFile, sidecarOf, sidecarPath } from "../onnx/model-file.js";
import { layouts, type PreprocessingSource, preprocessingSchema } from "../onnx/preprocessing.js";
import { requireWritable } from "./outputs.js";
import { defined } from "../core/defined.js";

/** How the model's answers are read, where the file leaves a choice; each flag goes before what a sidecar says. */
const headFlags = {
  output: z.string().min(1).optional().meta({
    description: "the output (or any value of the graph) that holds the scores, where there are several",
    placeholder: "NAME",
  }),
  logits: z.string().min(1).optional().meta({
    description: "the value that holds the scores before a softmax (default: found)",
    placeholder: "NAME",
  }),
  lastLayer: z.string().min(1).optional().meta({
    description:
      "the layer that makes the logits: its node, the value that it computes, or its weight (default: found)",
    placeholder: "NAME",
  }),
  classes: z
    .string()
    .min(1)
    .optional()
    .meta({
      description:
        "the model's class for each class of the data, where it knows more or in another order: numbers from 0 on " +
        "(3,5,10-12), or names where its file tells them",
      placeholder: "LIST",
    }),
  binary: z
    .boolean()
    .default(false)
    .describe("the model has one score an image (a sigmoid): that of class 1 against class 0"),
};

/**
 * What the model's file does not say of its preprocessing; each flag goes before what a sidecar or the metadata say.
 */
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
  ...headFlags,
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
  return sources.reduceRight(withPreprocessing, withHead(model, headOf(flags, model.metadata)));
}

/**
 * What the flags say of how answers are read.
 *
 * @throws WildmarkError `usage` for classes that the model's file does not name.
 */
export function headOf(
  { output, logits, lastLayer, classes, binary }: ModelFlags,
  metadata: ReadonlyMap<string, string> = new Map(),
): Head {
  return {
    ...defined({ output, logits, lastLayer }),
    ...(classes === undefined ? {} : { classes: [...classesFrom(classes, metadata)] }),
    ...(binary ? { binary } : {}),
  };
}

/** The flags that were given of those that speak of a model, as they are typed. */
export function modelFlagsGiven(flags: ModelFlags): readonly string[] {
  const { output, logits, lastLayer, classes, binary } = flags;
  const ofHead = { output, logits, "last-layer": lastLayer, classes, binary: binary || undefined };
  const given = Object.entries(ofHead).filter(([, value]) => value !== undefined);
  return [...preprocessingOf(flags).map(({ from }) => from), ...given.map(([name]) => `--${name}`)];
}

/**
 * Whether what is said of a model can be written beside `out`, where there is anything to write (`requireWritable`).
 */
export async function requireSidecarWritable(out: string, model: Model, force: boolean): Promise<void> {
  if (sidecarOf(model) !== undefined) await requireWritable(sidecarPath(out), force);
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
    ...defined({ layout, channelOrder }),
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
