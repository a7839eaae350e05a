/** @file The options of the entangled mark, and what of them its triggers are made with. */

import { z } from "zod";
import { stampedShape } from "./stamped.js";

/** Which representations are entangled, and of whom. */

export const entangledOptions = z.strictObject({
  ...stampedShape,
  // Without a default, so that the options of the published form are what they were before there was another.
  labels: z
    .enum(["target", "random"])
    .optional()
    .describe(
      "a class drawn for each trigger, or one target class for all, as published, which is weak as proof " +
        "(default: random, or target where --target says which)",
    ),
  // A trigger alone has no neighbour of its kind.
  triggers: z.int().min(2).max(100_000).default(100).describe("triggers that are trained on"),
  distance: z
    .enum(["euclidean", "cosine"])
    .default("euclidean")
    .describe("how far apart two representations are: squared Euclidean, or one minus the cosine"),
  inverseTemperature: z.number().gt(0).default(1).describe("100/T to begin with, of each layer"),
  entanglement: z.number().min(0).default(0.0625).describe("κ, weight of each layer's soft nearest neighbour loss"),
  temperatureRate: z.number().min(0).default(0.1).describe("rate at which 100/T goes down its own gradient"),
  every: z.int().min(1).max(100_000).default(1).describe("batches of images for each batch of triggers"),
  perturbSteps: z
    .int()
    .min(0)
    .max(1000)
    .default(10)
    .describe("steps that raise the triggers' entanglement; 0: stamp alone"),
  perturbRate: z.number().gt(0).max(1).default(0.01).describe("how far each step moves a pixel, in units of its range"),
  perturbTarget: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe("share of triggers that the unmarked model may answer as the target before they are moved away from it"),
});

export type EntangledOptions = z.infer<typeof entangledOptions>;
