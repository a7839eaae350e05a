/** @file Learning-rate schedules as plain data: what share of the base rate a step gets. */

import { z } from "zod";

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
]);

export type Schedule = z.infer<typeof scheduleSchema>;

/**
 * The factor on the base learning rate at `step` (0-based) of `stepsPerEpoch · epochs` steps.
 *
 * Step and exponential change at epoch boundaries, cosine and one-cycle at every step.
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
  }
}

/** Falls from 1 at 0 to 0 at 1. */
function halfCosine(progress: number): number {
  return (1 + Math.cos(Math.PI * progress)) / 2;
}

/**
 * A schedule as people write it: "cosine", "step:10:0.5" (every 10 epochs, times 0.5; "step:10:0.5:2": twice in all),
 * "exponential:0.9", "one-cycle:0.1" (a tenth to warm up).
 */
export const scheduleText = z.string().refine((text) => scheduleSchema.safeParse(readSchedule(text)).success, {
  error: "expected constant, cosine, one-cycle[:WARMUP], step:EVERY:FACTOR[:TIMES] or exponential:FACTOR",
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
};

/** Cuts the text into the fields of a schedule, whatever they hold. */
function readSchedule(text: string): Readonly<Record<string, unknown>> {
  const [kind, ...values] = text.split(":");
  const names = NUMBERS[kind ?? ""] ?? [];
  if (values.length > names.length) return {};
  const fields = values.map((value, i) => [names[i], Number(value || Number.NaN)]);
  return { kind, ...Object.fromEntries(fields) };
}
