/**
 * @file The document of an audit: what each attack did to one marked model, with everything needed to redraw and redo it.
 *
 * It is the only thing the report reads. Accuracies and retentions are shares in [0, 1]; times are seconds.
 */

import { z } from "zod";
import { verdictSchema } from "../ownership/verdict.js";
import { reactivationSchema } from "../tasks/reactivation.js";
import { documentShape } from "./result.js";
import { epochSchema, measurementSchema, share } from "../tasks/records.js";

const budget = z.number().gt(0).max(1);

const outcomeShape = {
  /** From epoch 0, the marked model. */
  epochs: z.array(epochSchema).min(1),
  measured: measurementSchema,
  verdict: verdictSchema,
  /** Whether the cleaned model does no better than guessing: the attack went astray, and nothing was stolen. */
  atChance: z.boolean().default(false),
  /** Time spent training. */
  seconds: z.number().min(0),
  /** After some steps of tuning on clean training images: what they bring back was never gone. */
  reactivated: z.object({ measured: measurementSchema, verdict: verdictSchema, seconds: z.number().min(0) }).optional(),
  /** Of the cleaned model; the model itself is not kept. */
  modelSha256: z.string(),
};

/** What one attack did. */
export const outcomeSchema = z.object(outcomeShape);

const whichShape = {
  /** Position in `attacks`. */
  attack: z.int().min(0),
  fraction: budget,
  seed: z.int(),
};

const cellSchema = z.discriminatedUnion("status", [
  z.object({ status: z.literal("done"), ...whichShape, images: z.int().positive(), ...outcomeShape }),
  /** It could not be tried: too little data, or not this kind of method. */
  z.object({ status: z.literal("skipped"), ...whichShape, reason: z.string() }),
  /** It was tried and ended in an error. */
  z.object({
    status: z.literal("failed"),
    ...whichShape,
    images: z.int().positive(),
    reason: z.string(),
    /** Whether it may succeed when it is tried again: not where the same seed leads to the same end. */
    mayPass: z.boolean().default(true),
  }),
]);

const attackSchema = z.object({
  /** Registry id of the method. */
  method: z.string(),
  /** What figures and tables call it: "WILD-JS". */
  title: z.string(),
  summary: z.string(),
  paper: z.string(),
  /** True where the marked weights are not used: a yardstick and no attack. */
  control: z.boolean(),
  /** The method's options as run, defaults filled in. */
  options: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

export const auditSchema = z
  .object({
    ...documentShape,
    kind: z.literal("audit"),
    model: z.object({
      /** What the owner calls it: its path. */
      name: z.string(),
      sha256: z.string(),
      parameters: z.int().min(0),
    }),
    key: z.object({
      name: z.string(),
      sha256: z.string(),
      /** Kind of mark: "content". */
      scheme: z.string(),
      triggers: z.int().positive(),
      heldOutTriggers: z.int().min(0),
      /** Whether the key says that it was made for this very file. */
      madeForThisModel: z.boolean(),
    }),
    /** The marked model before any attack. */
    before: z.object({
      measured: measurementSchema,
      verdict: verdictSchema,
      /** Whether it did no better than guessing then already: no attack is to blame for that. Absent in older documents. */
      atChance: z.boolean().optional(),
    }),
    /** Significance level of every verdict in the document. */
    alpha: z.number().gt(0).lt(1),
    /** An attack that costs more accuracy than this (a difference of shares) has paid too much. */
    acceptableDrop: share,
    /** How removals were followed up; null: not at all. */
    reactivation: reactivationSchema.nullable().default(null),
    budgets: z.array(budget).min(1),
    seeds: z.array(z.int()).min(1),
    attacks: z.array(attackSchema).min(1),
    /** Every attack with every budget and seed, once. */
    cells: z.array(cellSchema),
  })
  .refine(({ attacks, cells }) => cells.every(({ attack }) => attack < attacks.length), {
    path: ["cells"],
    message: "a cell names an attack that the document does not list",
  });

export type AuditResult = z.infer<typeof auditSchema>;
export type AuditCellResult = AuditResult["cells"][number];
