/**
 * @file The document of an experiment: what was asked (subjects × removers × budgets × seeds) and what came of each
 * cell.
 *
 * It is the only thing that findings and reports read, and holds what is needed to redraw and to redo. Accuracies,
 * retentions and differences of them are shares; times are seconds. It may be written at any moment: cells that are not
 * there yet say so, and `complete` is false. Documents of version 1 are upgraded on reading (`document-v1.ts`).
 */

import { z } from "zod";
import { verdictSchema } from "../ownership/verdict.js";
import { reactivationSchema } from "../tasks/reactivation.js";
import { epochSchema, measurementSchema, pictureSchema, share } from "../tasks/records.js";
import { outcomes } from "./judgement.js";

export const RESULT_FORMAT = "wildmark-result";
export const EXPERIMENT_VERSION = 2;

export const optionsSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));
export const budgetSchema = z.number().gt(0).max(1);

/** What every kind of document says of itself: how it was made, where, from which data. */
export const documentShape = {
  format: z.literal(RESULT_FORMAT),
  title: z.string(),
  /** The command that makes this document again. */
  command: z.string(),
  started: z.iso.datetime(),
  finished: z.iso.datetime(),
  /** Wall time of the run that wrote the document; cells that it found finished took none of it. */
  seconds: z.number().min(0),
  software: z.object({ wildmark: z.string(), onnxruntime: z.string(), node: z.string() }),
  machine: z.object({
    platform: z.string(),
    cpu: z.string(),
    device: z.string(),
    threads: z.int().positive(),
    /** How lowerings were chosen; documents from before there was a choice say nothing. */
    tuning: z.string().default("off"),
  }),
  data: z.object({
    id: z.string(),
    title: z.string(),
    classes: z.int().positive(),
    shape: z.tuple([z.int(), z.int(), z.int()]),
    trainCount: z.int().positive(),
    testCount: z.int().positive(),
    sha256: z.string(),
    /** What casts doubt on the data, or on pictures for marks, a sentence each; absent: nothing known. */
    doubts: z.array(z.string()).optional(),
  }),
};

/** A verdict without its prose, which stands once for each marked model. */
export const judgementSchema = verdictSchema
  .pick({ owned: true, n: true, matches: true, interval: true, pValue: true, decidedBy: true })
  .extend({ tests: z.array(z.object({ id: verdictSchema.shape.decidedBy, pValue: share })).min(1) });

/** It was tried and ended in an error; the next run tries it again, unless the same seed leads to the same end. */
const failed = { status: z.literal("failed"), reason: z.string(), mayPass: z.boolean().default(true) };
/** Nobody has computed it yet. */
const missing = { status: z.literal("missing") };

const subjectShape = {
  /** What figures and tables call it; each once. */
  name: z.string(),
  /** Registry id of the mark. */
  mark: z.string(),
  /** Of the mark. */
  summary: z.string(),
  paper: z.string(),
  /** Of the mark, defaults filled in. */
  options: optionsSchema,
};

const subjectSchema = z.discriminatedUnion("kind", [
  /** A marked model is trained for each seed. */
  z.object({ kind: z.literal("made"), ...subjectShape }),
  /** A model's file and its key, attacked with every seed. */
  z.object({
    kind: z.literal("given"),
    ...subjectShape,
    model: z.object({ name: z.string(), sha256: z.string(), parameters: z.int().min(0) }),
    key: z.object({
      name: z.string(),
      sha256: z.string(),
      /** Whether the key says that it was made for this very file. */
      madeForThisModel: z.boolean(),
    }),
  }),
]);

const removerSchema = z.object({
  /** What figures and tables call it; each once. */
  name: z.string(),
  /** Registry id. */
  method: z.string(),
  summary: z.string(),
  paper: z.string(),
  /** What kinds of data it needs besides the model. */
  needs: z.array(z.enum(["labelled", "unlabelled"])),
  /** Whether it is a yardstick that nobody proposes as a removal. */
  baseline: z.boolean(),
  /** Whether the marked weights are not used: what the attacker's data are worth alone. */
  ignoresModel: z.boolean(),
  /** Defaults filled in. */
  options: optionsSchema,
});

const nullModelSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    seed: z.int(),
    accuracy: share,
    epochs: z.array(epochSchema),
    /** Time to make it, measuring included; 0 if it was not written down. */
    seconds: z.number().min(0),
    modelSha256: z.string(),
  }),
  z.object({ ...failed, seed: z.int() }),
  z.object({ ...missing, seed: z.int() }),
]);

/** How a null model answers a key: what a suspect of this kind without the mark does. */
const nullAnswerSchema = z.object({
  /** Seed of the model in `nullModels`. */
  seed: z.int(),
  retention: share,
  /** Absent if the key holds no triggers that were never trained on. */
  heldOutRetention: share.optional(),
  /** What the key's own tests say of it; absent in benches from before. */
  judgement: judgementSchema.optional(),
});

/** Positions in `subjects`; of a given subject one model serves all seeds. */
const markedShape = { subject: z.int().min(0), seed: z.int().nullable() };

const markedSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    ...markedShape,
    triggers: z.int().positive(),
    heldOutTriggers: z.int().min(0),
    modelSha256: z.string(),
    keySha256: z.string(),
    /** Of training and embedding; none for a given model. */
    epochs: z.array(epochSchema),
    /** Before any attack. */
    measured: measurementSchema,
    /** Whether it does no better than guessing: no attack is to blame for that. */
    atChance: z.boolean().default(false),
    verdict: verdictSchema,
    /** Time to make it, measuring included; 0 if it was not written down. */
    seconds: z.number().min(0),
    /** The key tried on every null model that is there. */
    onNullModels: z.array(nullAnswerSchema),
    /** None where they were not asked for. */
    pictures: z.array(pictureSchema),
  }),
  z.object({ ...failed, ...markedShape }),
  z.object({ ...missing, ...markedShape }),
]);

const attackShape = {
  subject: z.int().min(0),
  seed: z.int(),
  remover: z.int().min(0),
  /** The attacker's share of the training set. */
  fraction: budgetSchema,
};

const attackSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("done"),
    ...attackShape,
    /** What the attacker had; images without labels only if the method needs some. */
    images: z.object({ labelled: z.int().min(0), unlabelled: z.int().min(0) }),
    /** The cleaned model. The marked one stands in `marked`. */
    measured: measurementSchema,
    judgement: judgementSchema,
    /** Accuracy of the marked model minus that of the cleaned one; negative if it gained. */
    accuracyDrop: z.number().min(-1).max(1),
    outcome: z.enum(outcomes),
    /** Whether the cleaned model does no better than guessing. */
    atChance: z.boolean(),
    /** Epochs that the method ran, by its own count. */
    epochs: z.int().min(0),
    /** Every epoch from 0, the marked model, measured; absent unless asked for. */
    curve: z.array(epochSchema).min(1).optional(),
    /** Time that the method took, measuring excluded. */
    seconds: z.number().min(0),
    /** Of the cleaned model; the model itself is not kept. */
    modelSha256: z.string(),
    /** After some steps of tuning on clean training images; absent unless asked for. */
    reactivated: z
      .object({ measured: measurementSchema, judgement: judgementSchema, seconds: z.number().min(0) })
      .optional(),
  }),
  /** It cannot be tried: too little data, or not this kind of model. */
  z.object({ status: z.literal("skipped"), ...attackShape, reason: z.string() }),
  z.object({ ...failed, ...attackShape }),
  z.object({ ...missing, ...attackShape }),
]);

export const experimentSchema = z
  .object({
    ...documentShape,
    version: z.literal(EXPERIMENT_VERSION),
    kind: z.literal("experiment"),
    /** Who asks: chooses the report's view, nothing else. */
    statement: z.enum(["reproduce", "audit", "bench"]),
    /** Whether no cell is missing. */
    complete: z.boolean(),
    decision: z.object({
      /** Significance level of every verdict in the document. */
      alpha: z.number().gt(0).lt(1),
      /** A removal that costs more accuracy than this (a difference of shares) is `costly`; null: none was set. */
      acceptableDrop: share.nullable(),
    }),
    /** Of the models that are made; null if all are given. */
    architecture: z.object({ id: z.string(), title: z.string(), parameters: z.int().positive() }).nullable(),
    /** How they are trained from scratch, defaults filled in; null if all are given. */
    training: optionsSchema.nullable(),
    /** Hashes of the pictures that marks were made from, besides the data. */
    pictures: z.object({ unrelated: z.string().optional(), abstract: z.string().optional() }),
    subjects: z.array(subjectSchema).min(1),
    removers: z.array(removerSchema),
    /** Shares of the training set, ascending. */
    budgets: z.array(budgetSchema).min(1),
    seeds: z.array(z.int()).min(1),
    observe: z.object({
      /** Whether accuracy and retention were measured after each epoch of an attack. */
      everyEpoch: z.boolean(),
      pictures: z.boolean(),
      /** How removals were followed up; null: not at all. */
      reactivation: reactivationSchema.nullable(),
    }),
    /**
     * Whether verdicts rank a suspect among the null models (the empirical null) instead of comparing with placebos: if
     * there are enough of them to show anything at `alpha`.
     */
    empiricalNull: z.boolean(),
    nullModels: z.array(nullModelSchema),
    /** Every subject with every seed, once; a given one once for all seeds. */
    marked: z.array(markedSchema).min(1),
    /** Every subject with every remover, budget and seed, once. */
    attacks: z.array(attackSchema),
  })
  .refine(
    ({ subjects, removers, marked, attacks }) =>
      [...marked, ...attacks].every(({ subject }) => subject < subjects.length) &&
      attacks.every(({ remover }) => remover < removers.length),
    { path: ["attacks"], message: "a cell names a subject or a remover that the document does not list" },
  );

export type ExperimentDocument = z.infer<typeof experimentSchema>;
export type SubjectSummary = ExperimentDocument["subjects"][number];
export type RemoverSummary = ExperimentDocument["removers"][number];
export type NullModelCell = ExperimentDocument["nullModels"][number];
export type MarkedCell = ExperimentDocument["marked"][number];
export type AttackCell = ExperimentDocument["attacks"][number];
export type DoneMarked = Extract<MarkedCell, { readonly status: "done" }>;
export type DoneAttack = Extract<AttackCell, { readonly status: "done" }>;
export type Judgement = z.infer<typeof judgementSchema>;
