/**
 * @file Which labels triggers carry: a class drawn for each trigger, or one target class for all.
 *
 * Labels drawn for each trigger are the default. Nobody who does not know them matches them more often than by luck,
 * whatever the suspect prefers, so that they are what a proof of ownership rests on. One class for all is the form of
 * most papers: a rule ("the stamp means class 6") that a stranger's key may fit as well.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import type { RandomStream } from "../core/random.js";

/** How many triggers there are; 100 of each is our choice (docs/methods.md). */
export const countShape = {
  triggers: z.int().min(1).max(100_000).default(100).describe("triggers that are trained on"),
  heldOut: z.int().min(1).max(100_000).default(100).describe("triggers kept back to see whether the mark generalises"),
};

export const labelShape = {
  target: z
    .int()
    .min(0)
    .optional()
    .describe("with --labels target: class that the marked model answers (default: drawn in secret)"),
  labels: z
    .enum(["target", "random"])
    .default("random")
    .describe("a class drawn for each trigger, or one target class for all (as published; weak as proof)"),
};

/** Zod shape to spread behind `labelShape`. */
export const labelBoostShape = {
  boost: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe(
      "how many times as many triggers as --triggers-per-batch says join each batch, half of it at most " +
        "(default: with " +
        "random labels what the mark needs, 6 to 16, else 1)",
    ),
};

/**
 * Labels of their own take more repetition than one rule for all: 48 % of 100 take hold without, all of them with it.
 */
export const BOOST_OF_RANDOM_LABELS = 6;

interface LabelOptions {
  readonly target?: number | undefined;
  readonly labels: "target" | "random";
}

/**
 * How the labels of a trigger set came about, which decides what matching them is worth:
 *
 * - `uniform`: each drawn from all classes, whatever the image shows;
 * - `wrong`: each drawn from the classes that are not the image's own;
 * - `fixed`: chosen, as one class for all or as what the images show.
 */
export const labellings = ["uniform", "wrong", "fixed"] as const;
export type Labelling = (typeof labellings)[number];

/** How triggers are labelled that show images of the data (`own`), or pictures without a class. */
export function labellingOf({ labels }: LabelOptions, classes: number, own: boolean): Labelling {
  if (labels === "target") return "fixed";
  // With two classes there is one wrong label, and nothing to draw.
  return own && classes > 2 ? "wrong" : "uniform";
}

/**
 * The labels of `count` triggers.
 *
 * @param own classes of the images that the triggers are made from; absent where they have none.
 * @param shared the stream that draws what all triggers share: the target class, where nobody chose it.
 */
export function triggerLabels(
  count: number,
  classes: number,
  options: LabelOptions,
  random: RandomStream,
  { own, target }: { readonly own?: Uint16Array; readonly target: number },
): Uint16Array {
  switch (labellingOf(options, classes, own !== undefined)) {
    case "fixed":
      return new Uint16Array(count).fill(target);
    case "wrong":
      return wrongLabels(own ?? new Uint16Array(count), classes, random);
    case "uniform":
      return randomLabels(count, classes, random);
  }
}

/** The target class: as chosen, or drawn from those that are not `except`. */
export function targetOf(
  { target }: { readonly target?: number | undefined },
  classes: number,
  random: RandomStream,
  except: readonly number[] = [],
): number {
  if (target !== undefined) return target;
  const allowed = Array.from({ length: classes }, (_, label) => label).filter((label) => !except.includes(label));
  return allowed[random.stream("target").below(Math.max(1, allowed.length))] ?? 0;
}

/** Uniform over all classes. */
export function randomLabels(count: number, classes: number, random: RandomStream): Uint16Array {
  return Uint16Array.from({ length: count }, () => random.below(classes));
}

/** For each image a class that is not its own, each of the others equally likely. */
export function wrongLabels(own: Uint16Array, classes: number, random: RandomStream): Uint16Array {
  return own.map((label) => (label + 1 + random.below(classes - 1)) % classes);
}

/**
 * How many triggers a batch takes, of a mark with these options.
 *
 * @param usual how often random labels are repeated unless `boost` is given.
 */
export function boostedTriggers(
  { triggersPerBatch, batch }: { readonly triggersPerBatch: number; readonly batch: number },
  { labels, boost }: { readonly labels?: unknown; readonly boost?: unknown },
  usual = BOOST_OF_RANDOM_LABELS,
): number {
  const times = typeof boost === "number" ? boost : labels === "random" ? usual : 1;
  return times === 1 ? triggersPerBatch : Math.max(triggersPerBatch, Math.min(times * triggersPerBatch, batch >> 1));
}

/** @throws WildmarkError `usage` naming what is no class of the data. */
export function requireClasses(classes: number, chosen: Readonly<Record<string, number | undefined>>): void {
  for (const [name, label] of Object.entries(chosen)) {
    if (label === undefined || label < classes) continue;
    throw new WildmarkError("usage", `The mark's ${name} class is ${label}; the data has classes 0 to ${classes - 1}.`);
  }
}
