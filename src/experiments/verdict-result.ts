/**
 * @file The document of a verdict: whom `verify` asked, with which key, what every test says, and what was not tested.
 *
 * It is written to be handed to somebody who has neither key nor suspect, so it tells both by hash and holds no secret:
 * no image and no label of the key, unless pictures were asked for. A document whose parts contradict one another is
 * refused: what its counts say can be computed again from it alone.
 */

import { z } from "zod";
import { layouts } from "../onnx/preprocessing.js";
import { verdictSchema } from "../ownership/verdict.js";
import { documentShape } from "./document.js";
import { share } from "../tasks/records.js";
import { contradictions } from "./verdict-contradictions.js";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");

const count = z.int().min(0);

/** Matches with the key's labels among n answers. */
const matchesSchema = z
  .object({ matches: count, n: z.int().positive() })
  .refine(({ matches, n }) => matches <= n, "more matches than answers");

/** Where a field comes from: a flag, a file beside the model, its own metadata, or "assumed". */
const fromSchema = z.object({
  layout: z.string(),
  range: z.string(),
  mean: z.string(),
  std: z.string(),
  channelOrder: z.string(),
});

/** How images were put to a model. */
const readingSchema = z.object({
  layout: z.enum(layouts),
  range: z.tuple([z.number(), z.number()]),
  mean: z.array(z.number()).min(1),
  std: z.array(z.number()).min(1),
  channelOrder: z.enum(["RGB", "BGR"]),
  from: fromSchema,
});

/** A reading that was tried: what it is called, and how often the suspect matched under it. */
const triedSchema = z.object({ name: z.string(), matches: count, n: z.int().positive(), used: z.boolean() });

/** An endpoint's record: sums of its transcript, whose last line's hash stands for all of it. */
const endpointSchema = z.object({
  transcript: z.string(),
  ledger: z.string(),
  /** Hex SHA-256 of the transcript's last line. */
  head: z.string(),
  asked: count,
  askedNow: count,
  /** Answers of the transcript that were asked for again, and were the same; and how many more should have been. */
  checked: count.optional(),
  unchecked: count.optional(),
  requests: count,
  answered: count,
  refused: count,
  unreadable: count,
  unknownWords: z.array(z.string()),
  decoys: z.object({ answered: count, right: count }),
  cost: z.number().min(0).optional(),
  currency: z.string().optional(),
});

const suspectSchema = z.object({
  kind: z.enum(["model", "answers", "endpoint"]),
  /** A path or an address. */
  name: z.string(),
  /** Of the file that was asked: the model, or the table of answers. */
  sha256: sha256.optional(),
  /** Of a model: whether it is, byte for byte, the file that the key was made for. */
  isTheMarkedFile: z.boolean().optional(),
  reading: readingSchema.optional(),
  /** Every reading that was tried, where more than one. */
  readingsTried: z.array(triedSchema).min(2).optional(),
  /** What every image went through before a model saw it: "jpeg:75,resize:224". */
  through: z.string().optional(),
  /**
   * Of a table of answers: images that were given away, how many of them have an answer, whether their names follow
   * from them, and how many were looked at by whoever judged.
   */
  table: z
    .object({ exported: count, answered: count, bound: z.boolean().optional(), seen: count.optional() })
    .optional(),
  endpoint: endpointSchema.optional(),
});

const baseSchema = z.object({
  sha256,
  count: z.int().positive(),
  picturesSha256: sha256.optional(),
  modelSha256: sha256.optional(),
});

const keySchema = z.object({
  name: z.string(),
  sha256,
  scheme: z.string(),
  options: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  createdBy: z.string(),
  classes: z.int().min(2),
  classNames: z.array(z.string()).optional(),
  shape: z.tuple([z.int(), z.int(), z.int()]),
  triggers: z.int().positive(),
  heldOutTriggers: count,
  placebos: count,
  /** Whether placebo i is trigger i without its mark. */
  placebosPaired: z.boolean(),
  /** Of the model that it was made for. */
  madeFor: sha256,
  /** Of a key that follows from a secret: how, and from what. */
  drawn: z
    .object({
      labelling: z.string(),
      exchangeable: z.boolean(),
      base: baseSchema,
      /** The same for keys with the same secret, images and labels, whatever their files say beside. */
      identity: sha256.optional(),
    })
    .optional(),
  /** Whether it was made again from its secret and the base data, byte for byte, by this command. */
  regenerated: z.boolean(),
  /** What was published, where the key was held against it. */
  commitment: sha256.optional(),
});

const groundSchema = z.object({
  against: z.enum(["luck", "look-alikes", "forgers"]),
  tested: z.boolean(),
  text: z.string(),
});

/** One trigger as it was asked; an answer is a class, or null where there was none. */
const pictureSchema = z.object({
  /** PNG data URI. */
  trigger: z.string(),
  placebo: z.string().optional(),
  label: count,
  sourceLabel: count.optional(),
  answer: count.nullable(),
  placeboAnswer: count.nullable().optional(),
});

export const VERDICT_VERSION = 1;

const { data: _, ...said } = documentShape;

export const verdictDocumentSchema = z
  .object({
    ...said,
    version: z.literal(VERDICT_VERSION),
    kind: z.literal("verdict"),
    suspect: suspectSchema,
    key: keySchema,
    /** Images that were put to the suspect. */
    asked: z.object({ triggers: z.int().positive(), placebos: count, heldOutTriggers: count, strangers: count }),
    verdict: verdictSchema,
    /** What the verdict rests on, in words; empty for verdicts that say not where their key comes from. */
    grounds: z.array(groundSchema),
    /** What the suspect's matches were held against. */
    compared: z.object({
      /** How often whoever knows nothing of the key matches at most; absent where nothing bounds it. */
      luck: share.optional(),
      placebos: matchesSchema.optional(),
      /** Each asked the triggers that count. */
      nullModels: z.array(z.object({ name: z.string(), sha256, matches: count })).optional(),
      strangers: z
        .object({
          keys: z.array(matchesSchema),
          /** Whether they were drawn from the data that the key was drawn from; absent where the key does not say. */
          sameBase: z.boolean().optional(),
        })
        .optional(),
    }),
    /** Triggers that nobody trained on. */
    heldOut: matchesSchema.optional(),
    /** In whole sentences. */
    notTested: z.array(z.string()),
    /** The first triggers of the key; absent unless asked for. */
    pictures: z.array(pictureSchema).optional(),
  })
  .superRefine((document, context) => {
    for (const message of contradictions(document)) {
      context.addIssue({ code: "custom", message, params: { contradicts: true } });
    }
  });

export type VerdictDocument = z.infer<typeof verdictDocumentSchema>;
