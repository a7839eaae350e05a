/** @file The options of ordinary training with SGD, which training, embedding and most removal methods share. */

import { z } from "zod";
import { defined } from "../core/defined.js";
import { AVERAGES, averagingText, parseAveraging } from "./averages.js";
import type { TrainingPlan } from "./epochs.js";
import type { Objective } from "./objective.js";
import { OPTIMIZERS, optimizerText, parseOptimizer } from "./optimizer-text.js";
import { parseSchedule, SCHEDULES, scheduleText } from "./schedule.js";
import { freezeText, parseFreeze, parseRates, type RateRule, ratesText } from "./weight-rules.js";

/** Zod shape to spread into an options schema, with defaults of one's own. */
export function sgdShape(defaults: {
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly schedule: string;
  readonly weightDecay: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly clipNorm?: number;
  readonly clipRatio?: number;
}) {
  return {
    epochs: z.int().min(1).max(100_000).default(defaults.epochs).describe("passes over the images"),
    batch: z.int().min(1).max(65_536).default(defaults.batch).describe("images a step"),
    learningRate: z.number().positive().default(defaults.learningRate).describe("peak learning rate"),
    schedule: scheduleText.default(defaults.schedule).describe(SCHEDULES),
    momentum: z
      .number()
      .min(0)
      .lt(1)
      .default(defaults.momentum ?? 0.9)
      .describe("momentum"),
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
export function scratchShape(defaults: ScratchDefaults) {
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
    optimizer: orAbsent(
      optimizerText.meta({
        description: `what moves the weights: ${OPTIMIZERS}; muon moves kernels, by the rate that --rates says of them`,
        placeholder: "NAME",
      }),
      defaults.optimizer,
    ),
    rates: orAbsent(
      ratesText.meta({
        description:
          "peak learning rates of some weights: biases=0.5, head=0.1, kernels=0.02, or of a name with * in it",
        placeholder: "WEIGHTS=RATE,…",
      }),
      defaults.rates,
    ),
    freeze: orAbsent(
      freezeText.meta({
        description: "weights that stay as they are, or do so after some epochs: kernels, layer1.*, stem.bias@3",
        placeholder: "WEIGHTS[@EPOCHS],…",
      }),
      defaults.freeze,
    ),
    average: orAbsent(
      averagingText.meta({
        description: `average of the weights on the way, which becomes the model: ${AVERAGES}`,
        placeholder: "NAME",
      }),
      defaults.average,
    ),
  };
}

interface ScratchDefaults {
  readonly decayOn: "all" | "kernels";
  readonly labelSmoothing: number;
  readonly optimizer?: string;
  readonly rates?: string;
  readonly freeze?: string;
  readonly average?: string;
}

/**
 * An option that may be absent: what was asked for before there was such an option, is then what it was, bit for bit.
 */
function orAbsent<Schema extends z.ZodType>(
  schema: Schema,
  fallback: z.core.util.NoUndefined<z.output<Schema>> | undefined,
) {
  return fallback === undefined ? schema.exactOptional() : schema.default(fallback).exactOptional();
}

export type SgdOptions = z.infer<z.ZodObject<ReturnType<typeof sgdShape>>>;
export type ScratchOptions = z.infer<z.ZodObject<ReturnType<typeof scratchShape>>>;

/** The plan that the options mean. */
export function sgdPlan(
  options: SgdOptions & Partial<ScratchOptions>,
  objective: Objective,
  more: Partial<
    Pick<TrainingPlan, "train" | "features" | "rewrite" | "project" | "added" | "beforeStep" | "memory">
  > = {},
): TrainingPlan {
  const { momentum, nesterov, weightDecay, decayOn, average } = options;
  const { main, kernels } = parseOptimizer(options.optimizer ?? "sgd", { momentum, nesterov, weightDecay, decayOn });
  const rates = [...(kernels === undefined ? [] : [KERNELS_BY_MUON]), ...parseRates(options.rates ?? "")];
  return {
    objective,
    optimizer: main,
    learningRate: options.learningRate,
    schedule: parseSchedule(options.schedule),
    epochs: options.epochs,
    train: "all",
    rules: { rates, freeze: parseFreeze(options.freeze ?? ""), ...defined({ kernels }) },
    batchNorm: options.batchNorm,
    ...(average === undefined ? {} : { average: parseAveraging(average) }),
    ...(options.clipNorm === 0 ? {} : { clipNorm: options.clipNorm }),
    ...(options.clipRatio === 0 ? {} : { clipRatio: options.clipRatio }),
    ...more,
  };
}

/** The rate that its author gives Muon: a step has the same length whatever the gradient's is. */
const KERNELS_BY_MUON: RateRule = { of: "kernels", rate: 0.02 };
