/**
 * @file What a bench leaves in its folder of its data: so that how far it is and what came of it can be told where the data
 * are not, from the folder alone. Labels are kept, because shares of the training set are drawn by them; no image is.
 */

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { readFileBounded, writeFileAtomic } from "../core/files.js";
import type { BenchFile } from "./bench-file.js";
import type { BenchSpec, KnownBench } from "./bench-spec.js";
import { imagesSha256 } from "./cells.js";

const FORMAT = "wildmark bench data";

/** Labels of the largest data set that is imaginable here. */
const LARGEST = 2 ** 30;

const keptSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(1),
  /** Of the bench, as it was run last. */
  title: z.string(),
  /** Which data the spec asks for: facts about others are of no use. */
  asked: z.object({ dataset: z.looseObject({ name: z.string() }), unrelated: z.string().nullable() }),
  dataset: z.object({
    id: z.string(),
    title: z.string(),
    sha256: z.string(),
    shape: z.object({ channels: z.int().min(1), height: z.int().min(1), width: z.int().min(1) }),
    classes: z.int().min(1).max(65_536),
    trainCount: z.int().min(0),
    testCount: z.int().min(0),
    /** Of the training images, 16 bits each, the lower byte first; base64. */
    labels: z.base64(),
    /** About the data and the pictures that marks were made from. */
    doubts: z.array(z.string()).default([]),
  }),
  /** Hashes of the images that marks were made from; null where there were none. Absent where no mark needs any. */
  unrelated: z.string().nullable().optional(),
  abstract: z.string().nullable().optional(),
});

export type KeptData = z.infer<typeof keptSchema>;

/** What the marks of a bench are made from besides the data set. */
function needsOf({ marks }: Pick<BenchFile, "marks">) {
  return {
    unrelated: marks.some(({ chosen }) => chosen.pictures === "unrelated"),
    abstract: marks.some(({ chosen }) => chosen.pictures === "abstract"),
  };
}

function askedBy({ dataset, unrelated }: BenchFile): KeptData["asked"] {
  return { dataset: { ...dataset }, unrelated: unrelated ?? null };
}

/** Keeps in the bench's folder what is known of its data. @throws WildmarkError `cannot-write` */
export async function keepData(out: string, file: BenchFile, spec: BenchSpec): Promise<void> {
  const { id, title, sha256, train, test } = spec.dataset;
  const needs = needsOf(file);
  const kept: KeptData = {
    format: FORMAT,
    version: 1,
    title: spec.title,
    asked: askedBy(file),
    dataset: {
      id,
      title,
      sha256,
      shape: train.shape,
      classes: train.classes,
      trainCount: train.count,
      testCount: test.count,
      labels: encodeLabels(train.labels),
      doubts: [spec.dataset, spec.unrelated, spec.abstract].flatMap((each) => each?.doubts ?? []),
    },
    ...(needs.unrelated ? { unrelated: imagesSha256(spec.unrelated) } : {}),
    ...(needs.abstract ? { abstract: imagesSha256(spec.abstract) } : {}),
  };
  await writeFileAtomic(pathIn(out), Buffer.from(`${JSON.stringify(kept, undefined, 1)}\n`), { force: true });
}

/** What a bench's folder says of its data; undefined where it says nothing, or nothing sound. */
export async function readKeptData(out: string): Promise<KeptData | undefined> {
  const path = pathIn(out);
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  const bytes = await readFileBounded(path, { what: "what a bench keeps of its data", maxBytes: LARGEST });
  const parsed = keptSchema.safeParse(orUndefined(() => JSON.parse(Buffer.from(bytes).toString("utf8"))));
  if (!parsed.success) return undefined;
  const { trainCount, labels, classes } = parsed.data.dataset;
  const found = decodeLabels(labels);
  return found.length === trainCount && found.every((label) => label < classes) ? parsed.data : undefined;
}

/**
 * The facts about the data of a spec that are kept.
 *
 * @returns undefined where they are about other data, or lack what a mark of the spec is made from.
 */
export function factsFor(
  file: BenchFile,
  kept: KeptData | undefined,
): Pick<KnownBench, "dataset" | "unrelated" | "abstract"> | undefined {
  if (kept === undefined || !isDeepStrictEqual(kept.asked, askedBy(file))) return undefined;
  const needs = needsOf(file);
  if ((needs.unrelated && kept.unrelated === undefined) || (needs.abstract && kept.abstract === undefined)) {
    return undefined;
  }
  const { id, title, sha256, shape, classes, trainCount, testCount, labels, doubts } = kept.dataset;
  const hashed = (hash: string | null | undefined) =>
    hash === undefined || hash === null ? undefined : { sha256: hash };
  const unrelated = hashed(kept.unrelated);
  const abstract = hashed(kept.abstract);
  return {
    dataset: {
      id,
      title,
      sha256,
      train: { shape, classes, count: trainCount, labels: decodeLabels(labels) },
      test: { count: testCount },
      ...(doubts.length === 0 ? {} : { doubts }),
    },
    ...(unrelated === undefined ? {} : { unrelated }),
    ...(abstract === undefined ? {} : { abstract }),
  };
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

function pathIn(out: string): string {
  return join(out, "data.json");
}

function orUndefined(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
