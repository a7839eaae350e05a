/** @file Which labels triggers carry: one target class for all, or labels drawn at random. */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { RandomStream } from "../core/random.js";

/** How many triggers there are; 100 of each is our choice (docs/methods.md). */
export const countShape = {
  triggers: z.int().min(1).max(100_000).default(100).describe("triggers that are trained on"),
  heldOut: z.int().min(1).max(100_000).default(100).describe("triggers kept back to see whether the mark generalises"),
};

export const labelShape = {
  target: z.int().min(0).default(6).describe("class that the marked model answers"),
  labels: z.enum(["target", "random"]).default("target").describe("one target class for all, or random labels"),
};

type LabelOptions = z.infer<z.ZodObject<typeof labelShape>>;

/** The labels of `count` triggers; random ones are uniform over all classes, whatever the images show. */
export function triggerLabels(
  count: number,
  classes: number,
  { target, labels }: LabelOptions,
  random: RandomStream,
): Uint16Array {
  return labels === "random" ? randomLabels(count, classes, random) : new Uint16Array(count).fill(target);
}

/** Uniform over all classes. */
export function randomLabels(count: number, classes: number, random: RandomStream): Uint16Array {
  return Uint16Array.from({ length: count }, () => random.below(classes));
}

/** For each image a class that is not its own, each of the others equally likely. */
export function wrongLabels(own: Uint16Array, classes: number, random: RandomStream): Uint16Array {
  return own.map((label) => (label + 1 + random.below(classes - 1)) % classes);
}

/** @throws WildmarkError `usage` naming what is no class of the data. */
export function requireClasses(classes: number, chosen: Readonly<Record<string, number>>): void {
  for (const [name, label] of Object.entries(chosen)) {
    if (label < classes) continue;
    throw new WildmarkError("usage", `The mark's ${name} class is ${label}; the data has classes 0 to ${classes - 1}.`);
  }
}
