/**
 * @file The document of a bench: what each remover left of each mark, with each share of the data and each seed.
 *
 * It is the only thing that statistics and the report read. Accuracies, retentions and differences of them are shares; times
 * are seconds. A document may be made at any moment: cells that are not there yet say so, and `complete` is false.
 */

import { z } from "zod";
import { verdictSchema } from "../ownership/verdict.js";
import { reactivationSchema } from "../tasks/reactivation.js";
import { documentShape } from "./result.js";
import { epochSchema, measurementSchema, pictureSchema, share } from "../tasks/records.js";

const optionsSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));
const budget = z.number().gt(0).max(1);

/** A verdict without its prose: that stands once for each owner, in `owners`. */
export const judgementSchema = verdictSchema
  .pick({ owned: true, n: true, matches: true, interval: true, pValue: true, decidedBy: true })
  .extend({ tests: z.array(z.object({ id: verdictSchema.shape.decidedBy, pValue: share })).min(1) });

/** Which cell: positions in `marks` and `removers`, and the values of budget and seed. */
const ownerShape = { mark: z.int().min(0), seed: z.int() };
const cellShape = { ...ownerShape, remover: z.int().min(0), fraction: budget };

/** It was tried and ended in an error; the next run tries it again. */
const failed = { status: z.literal("failed"), reason: z.string() };
/** Nobody has computed it yet. */
const missing = { status: z.literal("missing") };

/** How a model without the mark answers a key: what an innocent suspect of this kind does. */
const innocentSchema = z.object({
  /** Seed of the model in `unmarked`. */
  seed: z.int(),
  retention: share,
  /** Absent where the key holds no triggers that were never trained on. */
  heldOutRetention: share.optional(),
});

const unmarkedSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    seed: z.int(),
    accuracy: share,
    /** Time to make it, measuring included. */
    seconds: z.number().min(0),
    modelSha256: z.string(),
  }),
  z.object({ ...failed, seed: z.int() }),
  z.object({ ...missing, seed: z.int() }),
]);

/** A marked model and its key: one for each mark and seed, attacked by all removers. */
const ownerSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    ...ownerShape,
    triggers: z.int().positive(),
    heldOutTriggers: z.int().min(0),
    modelSha256: z.string(),
    keySha256: z.string(),
    epochs: z.array(epochSchema),
    /** Before any attack. */
    measured: measurementSchema,
    verdict: verdictSchema,
    /** Time to make it, measuring included. */
    seconds: z.number().min(0),
    /** The key tried on every unmarked model that is there. */
    innocents: z.array(innocentSchema),
    pictures: z.array(pictureSchema),
  }),
  z.object({ ...failed, ...ownerShape }),
  z.object({ ...missing, ...ownerShape }),
]);

/**
 * What became of a mark:
 *
 * - `removed`: not shown any more, at an acceptable drop of accuracy;
 * - `costly`: not shown any more, but the drop is larger than that;
 * - `shown`: the mark stands;
 * - `never-shown`: the marked model did not show it before any attack either, so nothing was there to remove.
 */
export const outcomes = ["removed", "costly", "shown", "never-shown"] as const;

/** Some steps of tuning the cleaned model on clean training data. */
const reactivatedSchema = z.object({
  measured: measurementSchema,
  judgement: judgementSchema,
  /** Time spent tuning. */
  seconds: z.number().min(0),
});

const cellSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    ...cellShape,
    /** What the attacker had; images without labels only where the method needs some. */
    images: z.object({ labelled: z.int().min(0), unlabelled: z.int().min(0) }),
    /** The cleaned model. The marked one stands in `owners`. */
    measured: measurementSchema,
    judgement: judgementSchema,
    /** Accuracy of the marked model minus that of the cleaned one; negative where it gained. */
    accuracyDrop: z.number().min(-1).max(1),
    outcome: z.enum(outcomes),
    /** Whether the cleaned model does no better than guessing. */
    atChance: z.boolean(),
    /** Epochs that the method ran, by its own count. */
    epochs: z.int().min(0),
    /** Time that the method took, measuring excluded. */
    seconds: z.number().min(0),
    modelSha256: z.string(),
    /** Absent where the bench does not ask for it. */
    reactivated: reactivatedSchema.optional(),
  }),
  /** It cannot be tried: this share leaves a class without images, or nothing for a method that needs more. */
  z.object({ status: z.literal("skipped"), ...cellShape, reason: z.string() }),
  z.object({ ...failed, ...cellShape }),
  z.object({ ...missing, ...cellShape }),
]);

const markSchema = z.object({
  /** What figures and tables call it; each once. */
  name: z.string(),
  /** Registry id. */
  mark: z.string(),
  summary: z.string(),
  paper: z.string(),
  /** Defaults filled in. */
  options: optionsSchema,
});

const removerSchema = z.object({
  /** What figures and tables call it; each once. */
  name: z.string(),
  /** Registry id. */
  method: z.string(),
  summary: z.string(),
  paper: z.string(),
  /** What kinds of data it needs besides the model. */
  needs: z.array(z.enum(["labelled", "unlabelled"])),
  /** True for yardsticks that nobody proposes as a removal. */
  control: z.boolean(),
  /** True where the marked weights are not used: what the attacker's data are worth alone. */
  ignoresModel: z.boolean(),
  /** Defaults filled in. */
  options: optionsSchema,
});

export const benchSchema = z
  .object({
    ...documentShape,
    kind: z.literal("bench"),
    /** Whether no cell is missing. */
    complete: z.boolean(),
    architecture: z.object({ id: z.string(), title: z.string(), parameters: z.int().positive() }),
    /** Significance level of every verdict in the document. */
    alpha: z.number().gt(0).lt(1),
    /** A removal that costs more accuracy than this (a difference of shares) is `costly`. */
    acceptableDrop: share,
    budgets: z.array(budget).min(1),
    seeds: z.array(z.int()).min(1),
    marks: z.array(markSchema).min(1),
    removers: z.array(removerSchema).min(1),
    /** How models are trained from scratch, defaults filled in. */
    training: optionsSchema,
    /** Null where the bench does not ask for it. */
    reactivation: reactivationSchema.nullable(),
    /**
     * Whether verdicts rank a suspect among the unmarked models (the empirical null) instead of comparing with placebos: so
     * where there are enough of them to show anything at `alpha`.
     */
    empiricalNull: z.boolean(),
    unmarked: z.array(unmarkedSchema),
    /** Every mark with every seed, once. */
    owners: z.array(ownerSchema).min(1),
    /** Every mark with every remover, budget and seed, once. */
    cells: z.array(cellSchema).min(1),
  })
  .refine(({ marks, removers, owners, cells }) => isWithin(marks, removers, [...owners, ...cells]), {
    path: ["cells"],
    message: "a cell names a mark or a remover that the document does not list",
  });

function isWithin(
  marks: readonly unknown[],
  removers: readonly unknown[],
  cells: readonly { readonly mark: number; readonly remover?: number }[],
): boolean {
  return cells.every(({ mark, remover = 0 }) => mark < marks.length && remover < removers.length);
}

export type BenchResult = z.infer<typeof benchSchema>;
export type BenchCell = BenchResult["cells"][number];
export type BenchOwner = BenchResult["owners"][number];
export type Judgement = z.infer<typeof judgementSchema>;
export type BenchOutcome = (typeof outcomes)[number];
