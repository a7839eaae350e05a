/**
 * @file The result document: versioned JSON with everything needed to redraw and to redo an experiment.
 *
 * It is the only thing the report reads. Accuracies and retentions are shares in [0, 1]; times are seconds.
 */

import { z } from "zod";
import { verdictSchema } from "../ownership/verdict.js";
import { epochSchema, measurementSchema, pictureSchema, share } from "../tasks/records.js";

export const RESULT_FORMAT = "wildmark-result";
export const RESULT_VERSION = 1;

/** The model of one seed trained without any mark: the innocent suspect. */
export const unmarkedSchema = z.object({
  seed: z.int(),
  accuracy: share,
  epochs: z.array(epochSchema),
  modelSha256: z.string(),
});

/** The same key tried on a model of the same seed that was trained without any mark. */
export const innocentSchema = z.object({ measured: measurementSchema, verdict: verdictSchema });

export const markedSchema = z.object({
  mark: z.string(),
  title: z.string(),
  seed: z.int(),
  triggers: z.int().positive(),
  heldOutTriggers: z.int().min(0),
  modelSha256: z.string(),
  keySha256: z.string(),
  epochs: z.array(epochSchema),
  measured: measurementSchema,
  verdict: verdictSchema,
  innocent: innocentSchema,
  pictures: z.array(pictureSchema),
});

/** What training a mark in yields; the innocent's part is measured on its own. */
export const markedCellSchema = markedSchema.omit({ innocent: true });

export const removalSchema = z.object({
  mark: z.string(),
  seed: z.int(),
  /** Registry id of the method. */
  method: z.string(),
  /** What figures and tables call it: "WILD-JS", "fine-tuning (FTAL)". */
  title: z.string(),
  /** True for the yardsticks (fine-tuning, random erasing alone, from scratch); false for what is under test. */
  control: z.boolean(),
  /** The method's options as run, defaults filled in. */
  options: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  /** From epoch 0, the marked model. */
  epochs: z.array(epochSchema).min(1),
  measured: measurementSchema,
  verdict: verdictSchema,
  seconds: z.number().min(0),
  modelSha256: z.string(),
});

/** What every kind of document says of itself: how it was made, where, from which data. */
export const documentShape = {
  format: z.literal(RESULT_FORMAT),
  version: z.literal(RESULT_VERSION),
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

export const resultSchema = z.object({
  ...documentShape,
  kind: z.literal("reproduce"),
  architecture: z.object({ id: z.string(), title: z.string(), parameters: z.int().positive() }),
  /** What the attacker has: a share of the training set. */
  attacker: z.object({ fraction: z.number().gt(0).max(1), images: z.int().positive() }),
  seeds: z.array(z.int()).min(1),
  marks: z.array(z.string()).min(1),
  /** Everything else that the run depended on, defaults filled in. */
  spec: z.record(z.string(), z.json()),
  /** The model of each seed trained without any mark. */
  unmarked: z.array(unmarkedSchema),
  marked: z.array(markedSchema).min(1),
  removals: z.array(removalSchema),
});

export type Result = z.infer<typeof resultSchema>;
export type { Verdict } from "../ownership/verdict.js";
