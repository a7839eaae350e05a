/** @file Documents on disk: read back with suspicion, and held against the experiment that would be run. */

import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded } from "../core/files.js";
import { parsedJson } from "../core/json.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { type ExperimentDocument, experimentSchema, RESULT_FORMAT } from "./document.js";
import { isV1, parseV1 } from "./document-v1.js";
import { thisMachine, thisSoftware } from "./machine.js";
import type { KnownSpec } from "./spec.js";
import { type VerdictDocument, verdictDocumentSchema } from "./verdict-result.js";

/** Pictures included, a result of many seeds stays far below. */
const LARGEST_RESULT = 256 * 2 ** 20;

/** Any document that Wildmark writes about what it measured. */
export type ResultDocument = ExperimentDocument | VerdictDocument;

const documentSchema = z.discriminatedUnion("kind", [experimentSchema, verdictDocumentSchema]);

/**
 * A document of an experiment or a verdict; version 1 of an experiment comes in the terms of version 2.
 *
 * @throws WildmarkError `bad-file` when the file is missing, no JSON, or no document.
 */
export async function readDocument(path: string): Promise<ResultDocument> {
  const bytes = await readFileBounded(path, { what: "a result document", maxBytes: LARGEST_RESULT });
  const json = parsedJson(Buffer.from(bytes).toString("utf8"));
  if (json === undefined) {
    throw new WildmarkError("bad-file", `${path}: expected a result document, found no JSON.`, { hint: WRITTEN_BY });
  }
  const parsed = isV1(json) ? parseV1(json) : documentSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const changed = parsed.error.issues.find((issue) => issue.code === "custom" && issue.params?.contradicts === true);
  if (changed !== undefined) {
    throw new WildmarkError("bad-file", `${path} contradicts itself: ${changed.message}.`, {
      hint: "It was changed after it was written: ask for the original, or run its command again.",
    });
  }
  throw new WildmarkError(
    "bad-file",
    `${path}: no result document of a known version: ${firstIssue(parsed.error.issues)}.`,
    { hint: `Expected format "${RESULT_FORMAT}". ${WRITTEN_BY}` },
  );
}

const WRITTEN_BY = "Give the result.json that wildmark reproduce, audit or bench writes, or what verify --out writes.";

/** @throws WildmarkError `bad-file` as above, and for documents of another kind. */
export async function readExperimentDocument(path: string): Promise<ExperimentDocument> {
  const document = await readDocument(path);
  if (document.kind === "experiment") return document;
  throw new WildmarkError("bad-file", `${path}: expected the document of an experiment, found that of a verdict.`, {
    hint: "Give the result.json that wildmark reproduce, audit or bench writes.",
  });
}

/**
 * How a document stands to a spec: the very `same` experiment; `another` on the same data, models and keys, whose cells
 * it shares; or about `other` things altogether.
 */
export function compareDocument(
  document: ExperimentDocument,
  spec: KnownSpec,
  runtime: RuntimeOptions = {},
): "same" | "another" | "other" {
  if (!isDeepStrictEqual(aboutDocument(document), aboutSpec(spec))) return "other";
  const found = { ...document, ...document.software, ...document.machine };
  const expected = { ...spec, ...thisSoftware(), ...thisMachine(runtime, 1) };
  const training = document.training === null ? null : spec.training;
  const subjects = spec.subjects.map((subject) =>
    subject.kind === "made" ? { mark: subject.mark.id, options: subject.mark.options } : subject.name,
  );
  const removers = spec.removers.map(({ name, chosen }) => ({ name, method: chosen.id, options: chosen.options }));
  const same = isDeepStrictEqual(
    asJson({
      ...settings(found),
      training: found.training,
      subjects: found.subjects.map((subject) =>
        subject.kind === "made" ? { mark: subject.mark, options: subject.options } : subject.name,
      ),
      removers: found.removers.map(({ name, method, options }) => ({ name, method, options })),
      nullModels: found.nullModels.map(({ seed }) => seed),
    }),
    asJson({ ...settings(expected), training, subjects, removers, nullModels: expected.nullModels }),
  );
  return same ? "same" : "another";
}

type Settings = Pick<ExperimentDocument, "title" | "decision" | "observe"> &
  Readonly<Record<"wildmark" | "onnxruntime" | "device" | "tuning", string>> &
  Readonly<Record<"budgets" | "seeds", readonly number[]>>;

/** What spec and document say in the same words. */
function settings({ wildmark, onnxruntime, device, tuning, title, decision, budgets, seeds, observe }: Settings) {
  return { wildmark, onnxruntime, device, tuning, title, decision, budgets, seeds, observe };
}

/** What an experiment is about: whoever replaces a document that is about something else has mistaken the folder. */
function aboutSpec({ statement, dataset, architecture, subjects }: KnownSpec) {
  const given = subjects.flatMap((subject) =>
    subject.kind === "given" ? [{ model: subject.modelSha256, key: subject.keySha256 }] : [],
  );
  const made = given.length < subjects.length;
  return { statement, data: dataset.sha256, given, architecture: made ? architecture.id : null };
}

function aboutDocument({ statement, data, architecture, subjects }: ExperimentDocument): ReturnType<typeof aboutSpec> {
  const given = subjects.flatMap((subject) =>
    subject.kind === "given" ? [{ model: subject.model.sha256, key: subject.key.sha256 }] : [],
  );
  const made = given.length < subjects.length;
  return { statement, data: data.sha256, given, architecture: made ? (architecture?.id ?? null) : null };
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function firstIssue(issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): string {
  const [issue] = issues;
  if (issue === undefined) return "it is malformed";
  return issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`;
}
