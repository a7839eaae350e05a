/**
 * @file How removals are followed up (`reactivate.ts`): a few steps of tuning may bring back what a removal seemed to
 * take.
 */

import { z } from "zod";

/** `steps` of SGD on clean training images, drawn by the cell's seed. */
export const reactivationSchema = z.strictObject({
  steps: z.int().min(1).max(1_000_000).default(200).describe("steps of tuning on clean training images"),
  batch: z.int().min(1).max(65_536).default(64).describe("images a step"),
  learningRate: z.number().positive().default(0.01).describe("constant rate of SGD with momentum 0.9"),
});

export type Reactivation = z.infer<typeof reactivationSchema>;
