/** @file Learning-rate schedules as plain data: what share of the base rate a step gets. */

import { z } from "zod";
import { readKind } from "../core/kind-text.js";

export const scheduleSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant") }),
  /** Multiplies by `factor` every `every` epochs, at most `times` times. */
  z.strictObject({
    kind: z.literal("step"),
    every: z.int().positive(),
    factor: z.number().positive(),
    times: z.int().positive().optional(),
  }),
  /** Multiplies by `factor` every epoch. */
  z.strictObject({ kind: z.literal("exponential"), factor: z.number().positive() }),
  /** Half a cosine from 1 to `floor` (Loshchilov & Hutter 2017, without restarts). */
  z.strictObject({ kind: z.literal("cosine"), floor: z.number().min(0).default(0) }),
  /**
   * Linear warm-up from `start` to 1 over the first `warmup` of all steps, then half a cosine to 0
   * (Smith & Topin 2018 in the cosine form that PyTorch's OneCycleLR uses; momentum stays).
   */
  z.strictObject({
    kind: z.literal("one-cycle"),
    warmup: z.number().min(0).max(1).default(0.25),
    start: z.number().min(0).default(0.04),
  }),
  /** A straight line from `start` to 1 over the first `peak` of all steps, then one from 1 to `end`. */
  z.strictObject({
    kind: z.literal("triangle"),
    peak: z.number().min(0).lt(1).default(0),
    start: z.number().min(0).default(0),
    end: z.number().min(0).default(0),
  }),
]);

export type Schedule = z.infer<typeof scheduleSchema>;

/**
 * The factor on the base learning rate at `step` (0-based) of `stepsPerEpoch · epochs` steps.
 *
 * Step and exponential change at epoch boundaries, the others at every step.
 */
export function scheduleFactor(schedule: Schedule, step: number, stepsPerEpoch: number, epochs: number): number {
  const epoch = Math.floor(step / stepsPerEpoch);
  const progress = step / (stepsPerEpoch * epochs);
  switch (schedule.kind) {
    case "constant":
      return 1;
    case "step":
      return (
        schedule.factor ** Math.min(Math.floor(epoch / schedule.every), schedule.times ?? Number.POSITIVE_INFINITY)
      );
    case "exponential":
      return schedule.factor ** epoch;
    case "cosine":
      return schedule.floor + (1 - schedule.floor) * halfCosine(progress);
    case "one-cycle":
      return progress < schedule.warmup
        ? schedule.start + (1 - schedule.start) * (progress / schedule.warmup)
        : halfCosine((progress - schedule.warmup) / (1 - schedule.warmup));
    case "triangle":
      return progress < schedule.peak
        ? schedule.start + (1 - schedule.start) * (progress / schedule.peak)
        : schedule.end + (1 - schedule.end) * ((1 - progress) / (1 - schedule.peak));
  }
}

/** Falls from 1 at 0 to 0 at 1. */
function halfCosine(progress: number): number {
  return (1 + Math.cos(Math.PI * progress)) / 2;
}

/** What the help and messages say of schedules. */
export const SCHEDULES =
  "constant, cosine, one-cycle[:WARMUP], triangle[:PEAK[:START[:END]]], step:EVERY:FACTOR[:TIMES] or " +
  "exponential:FACTOR";

/**
 * A schedule as people write it: "cosine", "step:10:0.5" (every 10 epochs, times 0.5; "step:10:0.5:2": twice in all),
 * "exponential:0.9", "one-cycle:0.1" (a tenth to warm up), "triangle" (a line down to 0), "triangle:0.2:0.1:0" (up from
 * a tenth over the first fifth).
 */
export const scheduleText = z.string().refine((text) => scheduleSchema.safeParse(readSchedule(text)).success, {
  error: `expected ${SCHEDULES}`,
});

/** Reads what `scheduleText` accepts. */
export function parseSchedule(text: string): Schedule {
  return scheduleSchema.parse(readSchedule(text));
}

/** The numbers that may follow a schedule's name; those that a schedule has no default for must. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  step: ["every", "factor", "times"],
  exponential: ["factor"],
  "one-cycle": ["warmup"],
  triangle: ["peak", "start", "end"],
};

const readSchedule = (text: string): Readonly<Record<string, unknown>> => readKind(text, NUMBERS);
