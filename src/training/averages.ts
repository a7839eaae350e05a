/**
 * @file Averages of the weights that training passes through, which answer better than those that it ends with: running
 * statistics are averaged as weights are.
 */

import { z } from "zod";
import { readKind } from "../core/kind-text.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import type { TrainingStep } from "./step-plan.js";

export const averagingSchema = z.discriminatedUnion("kind", [
  /**
   * An exponential moving average beside the training: after each step it keeps `decay` of itself, less at first
   * (1 + t)/(10 + t), so that the start is forgotten.
   */
  z.strictObject({ kind: z.literal("ema"), decay: z.number().min(0).lt(1).default(0.999) }),
  /**
   * Every `every` steps slow weights keep a share of themselves and take the rest from those that train, which go on
   * from there (Zhang, Lucas, Hinton, Ba, NeurIPS 2019). The share rises to `kept` with the training's progress to the
   * power of `power` (0: it is `kept` throughout, as published; 3: Jordan, arXiv:2404.00498).
   */
  z.strictObject({
    kind: z.literal("lookahead"),
    every: z.int().positive().default(5),
    kept: z.number().min(0).lt(1).default(0.5),
    power: z.number().min(0).default(0),
  }),
]);

export type Averaging = z.infer<typeof averagingSchema>;

type Weights = ReadonlyMap<string, FloatTensor>;

/** The average while training goes on. */
export interface Average {
  /** Is told after each step. @param done steps so far. */
  after(done: number): Promise<void>;
  /** Copies of the averaged weights. */
  weights(): Weights;
}

/**
 * @param step what trains; its weights are what the average starts with, unless `from` says otherwise.
 * @param total steps of the whole training.
 */
export async function startAverage(
  averaging: Averaging,
  step: Pick<TrainingStep, "weights" | "replace">,
  total: number,
  from?: Weights,
): Promise<Average> {
  const average = copyOf(from ?? (await step.weights()));
  return {
    async after(done) {
      if (averaging.kind === "ema") {
        mix(average, await step.weights(), Math.min(averaging.decay, (1 + done) / (10 + done)));
        return;
      }
      if (done % averaging.every !== 0) return;
      mix(average, await step.weights(), averaging.kept * (done / total) ** averaging.power);
      await step.replace(average);
    },
    weights: () => copyOf(average),
  };
}

/** `average` ← kept · average + (1 − kept) · weights. What `weights` lacks, because it no longer trains, stays. */
function mix(average: Weights, weights: Weights, kept: number): void {
  for (const [name, { data }] of average) {
    const other = weights.get(name)?.data;
    if (other === undefined) continue;
    for (let i = 0; i < data.length; i++) data[i] = kept * (data[i] ?? 0) + (1 - kept) * (other[i] ?? 0);
  }
}

const copyOf = (weights: Weights): Weights =>
  new Map([...weights].map(([name, { dims, data }]) => [name, float32(dims, data.slice())]));

/** What the help and messages say of averages. */
export const AVERAGES = "ema[:DECAY] or lookahead[:EVERY[:KEPT[:POWER]]]";

/** "ema", "ema:0.99", "lookahead:5:0.5", "lookahead:5:0.77:3" */
export const averagingText = z.string().refine((text) => averagingSchema.safeParse(readAveraging(text)).success, {
  error: `expected ${AVERAGES}`,
});

/** Reads what `averagingText` accepts. */
export const parseAveraging = (text: string): Averaging => averagingSchema.parse(readAveraging(text));

const readAveraging = (text: string): Readonly<Record<string, unknown>> =>
  readKind(text, { ema: ["decay"], lookahead: ["every", "kept", "power"] });
