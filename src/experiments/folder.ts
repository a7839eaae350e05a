/**
 * @file What an experiment leaves in its folder of itself: so that how far it is and what came of it can be told from
 * the folder alone, where the data are not. Labels are kept, because shares of the training set are drawn by them; no
 * image is, and no key: given models and keys are read where they lie.
 */

import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../core/files.js";
import { parsedJson } from "../core/json.js";
import { nestedSubset } from "../data/subset.js";
import { keySha256, readKey } from "../ownership/key-file.js";
import { askedSchema, madeSubjectSchema, packAsked, packMade, unpackAsked, unpackMade } from "./packed.js";
import {
  type ExperimentSpec,
  imagesSha256,
  type KnownGivenSubject,
  type KnownSpec,
  marksOf,
  picturesNeeded,
} from "./spec.js";
import { defined } from "../core/defined.js";

const FORMAT = "wildmark experiment";

/** Labels of the largest data set that is imaginable here. */
const LARGEST = 2 ** 30;

const givenSchema = z.object({
  kind: z.literal("given"),
  name: z.string(),
  /** As they were called, and where they lay. */
  files: z.object({ model: z.string(), key: z.string() }),
  keyPath: z.string(),
  modelSha256: z.string(),
  parameters: z.int().min(0),
  read: z.object({ preprocessing: z.string(), head: z.string().optional() }),
  keySha256: z.string(),
});

const keptSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(1),
  asked: askedSchema,
  subjects: z.array(z.discriminatedUnion("kind", [madeSubjectSchema, givenSchema])).min(1),
  dataset: z.object({
    id: z.string(),
    title: z.string(),
    sha256: z.string(),
    shape: z.object({ channels: z.int().min(1), height: z.int().min(1), width: z.int().min(1) }),
    classes: z.int().min(1).max(65_536),
    testCount: z.int().min(0),
    /** Of the training images, 16 bits each, the lower byte first; base64. */
    labels: z.base64(),
    /** About the data and the pictures that marks were made from. */
    doubts: z.array(z.string()),
  }),
  /** Hashes of the pictures that marks were made from; null if there were none. Absent if no mark needs any. */
  unrelated: z.string().nullable().optional(),
  abstract: z.string().nullable().optional(),
});

/** Keeps in its folder what is known of an experiment. @throws WildmarkError `cannot-write` */
export async function keepExperiment(out: string, spec: ExperimentSpec): Promise<void> {
  const { id, title, sha256, train, test } = spec.dataset;
  const needed = picturesNeeded(marksOf(spec));
  const kept: z.infer<typeof keptSchema> = {
    format: FORMAT,
    version: 1,
    asked: packAsked(spec),
    subjects: spec.subjects.map((subject) => {
      if (subject.kind === "made") return packMade(subject);
      const { kind, name, files, modelSha256, parameters, read, keySha256: key } = subject;
      return { kind, name, files, keyPath: resolve(files.key), modelSha256, parameters, read, keySha256: key };
    }),
    dataset: {
      ...{ id, title, sha256, shape: train.shape, classes: train.classes, testCount: test.count },
      labels: encodeLabels(train.labels),
      doubts: [spec.dataset, spec.unrelated, spec.abstract].flatMap((each) => each?.doubts ?? []),
    },
    ...(needed.unrelated ? { unrelated: imagesSha256(spec.unrelated) } : {}),
    ...(needed.abstract ? { abstract: imagesSha256(spec.abstract) } : {}),
  };
  await writeFileAtomic(keptPath(out), Buffer.from(`${JSON.stringify(kept, undefined, 1)}\n`), { force: true });
  await keepSubsets(out, spec);
}

/**
 * The attacker's images of each seed, as indices into the training set: smaller budgets are prefixes of the same order.
 */
async function keepSubsets(out: string, { dataset, budgets, seeds }: ExperimentSpec): Promise<void> {
  const { labels, classes } = dataset.train;
  const fraction = Math.max(...budgets);
  const subsets = seeds.map((seed) => ({
    seed,
    fraction,
    indices: [...nestedSubset(labels, classes, fraction, seed)],
  }));
  const text = JSON.stringify({ dataset: dataset.sha256, subsets });
  await writeFileAtomic(join(out, "subsets.json"), Buffer.from(`${text}\n`), { force: true });
}

/**
 * The experiment that a folder holds, without its data.
 *
 * @throws WildmarkError `bad-file` if the folder does not say what was run there, or a given key is not what it was.
 */
export async function readExperiment(out: string): Promise<KnownSpec> {
  const path = keptPath(out);
  if ((await stat(path).catch(() => undefined)) === undefined) {
    throw new WildmarkError("bad-file", `${out} holds no experiment: there is no ${path}.`, {
      hint:
        "Give the folder of wildmark reproduce, audit or bench; run the command again in one that an older Wildmark " +
        "left.",
    });
  }
  const bytes = await readFileBounded(path, { what: "what is known of an experiment", maxBytes: LARGEST });
  const parsed = keptSchema.safeParse(parsedJson(Buffer.from(bytes).toString("utf8")));
  const labels = parsed.success ? decodeLabels(parsed.data.dataset.labels) : new Uint16Array();
  if (!parsed.success || !labels.every((label) => label < parsed.data.dataset.classes)) {
    throw new WildmarkError("bad-file", `${path} is damaged, or of another version of Wildmark.`, {
      hint: "Run the experiment's command again: it writes the file anew, and what is finished is kept.",
    });
  }
  const { asked, subjects, dataset, unrelated, abstract } = parsed.data;
  const { shape, classes, testCount, doubts, labels: _, ...about } = dataset;
  return {
    ...unpackAsked(asked),
    subjects: await Promise.all(
      subjects.map((subject) => (subject.kind === "made" ? unpackMade(subject) : withKey(subject))),
    ),
    dataset: {
      ...about,
      train: { shape, classes, count: labels.length, labels },
      test: { count: testCount },
      ...(doubts.length === 0 ? {} : { doubts }),
    },
    ...(unrelated === undefined || unrelated === null ? {} : { unrelated: { sha256: unrelated } }),
    ...(abstract === undefined || abstract === null ? {} : { abstract: { sha256: abstract } }),
  };
}

async function withKey({ keyPath, read, ...subject }: z.infer<typeof givenSchema>): Promise<KnownGivenSubject> {
  const key = await readKey(keyPath);
  if (keySha256(key) !== subject.keySha256) {
    throw new WildmarkError("bad-file", `${keyPath} is another key than the one that the experiment was run with.`, {
      hint: "Verdicts are drawn by the key: put back the one that it was.",
    });
  }
  const { preprocessing, head } = read;
  return { ...subject, read: { preprocessing, ...defined({ head }) }, key };
}

function encodeLabels(labels: Uint16Array): string {
  const bytes = Buffer.alloc(2 * labels.length);
  labels.forEach((label, i) => {
    bytes.writeUInt16LE(label, 2 * i);
  });
  return bytes.toString("base64");
}

function decodeLabels(text: string): Uint16Array {
  const bytes = Buffer.from(text, "base64");
  return Uint16Array.from({ length: bytes.length >> 1 }, (_, i) => bytes.readUInt16LE(2 * i));
}

function keptPath(out: string): string {
  return join(out, "experiment.json");
}
