/** @file The options of ordinary training with SGD, which training, embedding and most removal methods share. */

import { z } from "zod";
import type { TrainingPlan } from "./epochs.js";
import type { Objective } from "./objective.js";
import { optimizerSchema } from "./optimizer.js";
import { parseSchedule, scheduleText } from "./schedule.js";

/** Zod shape to spread into an options schema, with defaults of one's own. */
export function sgdShape(defaults: {
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: string;
  readonly weightDecay: number;
  readonly nesterov?: boolean;
  readonly clipNorm?: number;
  readonly clipRatio?: number;
}) {
  return {
    epochs: z.int().min(1).max(100_000).default(defaults.epochs).describe("passes over the images"),
    batch: z.int().min(1).max(65_536).default(defaults.batch).describe("images a step"),
    learningRate: z.number().positive().default(defaults.learningRate).describe("peak learning rate"),
    schedule: scheduleText
      .default(defaults.schedule)
      .describe("constant, cosine, one-cycle[:WARMUP], step:EVERY:FACTOR[:TIMES] or exponential:FACTOR"),
    momentum: z.number().min(0).lt(1).default(0.9).describe("momentum"),
    nesterov: z
      .boolean()
      .default(defaults.nesterov ?? false)
      .describe("Nesterov's form of momentum"),
    weightDecay: z.number().min(0).default(defaults.weightDecay).describe("weight decay, added to the gradient"),
    clipNorm: z
      .number()
      .min(0)
      .default(defaults.clipNorm ?? 0)
      .describe("longest gradient of a step, over all weights; longer ones are shortened (0: any)"),
    clipRatio: z
      .number()
      .min(0)
      .default(defaults.clipRatio ?? 0)
      .describe("longest gradient of each weight, as a multiple of the weight's length (0: any)"),
    batchNorm: z
      .enum(["train", "frozen"])
      .default("train")
      .describe("batch normalisation: statistics of the batch, or those of the given model"),
  };
}

/** What training from scratch may want besides, with defaults of one's own. */
export function scratchShape(defaults: { readonly decayOn: "all" | "kernels"; readonly labelSmoothing: number }) {
  return {
    decayOn: z
      .enum(["all", "kernels"])
      .default(defaults.decayOn)
      .describe("weights that decay: all, or kernels and matrices but neither biases nor normalisation"),
    labelSmoothing: z
      .number()
      .min(0)
      .lt(1)
      .default(defaults.labelSmoothing)
      .describe("share of each label that is spread over all classes"),
  };
}

export type SgdOptions = z.infer<z.ZodObject<ReturnType<typeof sgdShape>>>;

/** The plan that the options mean. */
export function sgdPlan(
  options: SgdOptions & { readonly decayOn?: "all" | "kernels" },
  objective: Objective,
  more: Partial<Pick<TrainingPlan, "train" | "features" | "rewrite" | "project" | "added" | "beforeStep">> = {},
): TrainingPlan {
  const { momentum, nesterov, weightDecay, decayOn } = options;
  return {
    objective,
    optimizer: optimizerSchema.parse({ kind: "sgd", momentum, nesterov, weightDecay, decayOn }),
    learningRate: options.learningRate,
    schedule: parseSchedule(options.schedule),
    epochs: options.epochs,
    train: "all",
    batchNorm: options.batchNorm,
    ...(options.clipNorm === 0 ? {} : { clipNorm: options.clipNorm }),
    ...(options.clipRatio === 0 ? {} : { clipRatio: options.clipRatio }),
    ...more,
  };
}
