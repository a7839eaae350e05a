/** @file Result documents on disk: read back with suspicion, and told apart by the experiment they come from. */

import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded } from "../core/files.js";
import { WILDMARK_VERSION } from "../core/version.js";
import { runtimeVersion } from "../runtime/onnxruntime.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { autotuningOf } from "../runtime/autotuning/mode.js";
import { type AuditResult, auditSchema } from "./audit-result.js";
import type { AuditSpec } from "./audit-spec.js";
import { type BenchResult, benchSchema } from "./bench-result.js";
import { type ReproduceSpec, specDocument } from "./reproduce.js";
import { RESULT_FORMAT, RESULT_VERSION, type Result, resultSchema } from "./result.js";
import { type VerdictDocument, verdictDocumentSchema } from "./verdict-result.js";

/** Pictures included, a result of many seeds stays far below. */
const LARGEST_RESULT = 256 * 2 ** 20;

/** Any document that Wildmark writes about what it measured. */
export type ResultDocument = Result | AuditResult | BenchResult | VerdictDocument;

const documentSchema = z.discriminatedUnion("kind", [resultSchema, auditSchema, benchSchema, verdictDocumentSchema]);

/** @throws WildmarkError `bad-file` when the file is missing, no JSON, or no document of this version. */
export async function readDocument(path: string): Promise<ResultDocument> {
  return parseAs(documentSchema, path, "reproduce, audit or bench, or verify --out,");
}

/** The result of `reproduce`. @throws WildmarkError `bad-file` as above, and for documents of another kind. */
export async function readResult(path: string): Promise<Result> {
  return parseAs(resultSchema, path, "reproduce");
}

/** The result of `audit`. @throws WildmarkError `bad-file` as above, and for documents of another kind. */
export async function readAudit(path: string): Promise<AuditResult> {
  return parseAs(auditSchema, path, "audit");
}

/** The result of `bench`. @throws WildmarkError `bad-file` as above, and for documents of another kind. */
export async function readBench(path: string): Promise<BenchResult> {
  return parseAs(benchSchema, path, "bench");
}

async function parseAs<T>(schema: z.ZodType<T>, path: string, commands: string): Promise<T> {
  const bytes = await readFileBounded(path, { what: "a result document", maxBytes: LARGEST_RESULT });
  const document = parseJson(Buffer.from(bytes).toString("utf8"), path, commands);
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const changed = parsed.error.issues.find((issue) => issue.code === "custom" && issue.params?.contradicts === true);
  if (changed !== undefined) {
    throw new WildmarkError("bad-file", `${path} contradicts itself: ${changed.message}.`, {
      hint: "It was changed after it was written: ask for the original, or run its command again.",
    });
  }
  throw new WildmarkError(
    "bad-file",
    `${path}: no result document of this version: ${firstIssue(parsed.error.issues)}.`,
    {
      hint: `Expected format "${RESULT_FORMAT}", version ${RESULT_VERSION}: the result.json that wildmark ${commands} writes.`,
    },
  );
}

/**
 * How an audit's document stands to a spec: the very `same` audit; `another` of the same model, key, data and software, whose
 * cells it shares; or of `other` things altogether.
 */
export function compareAudit(
  result: AuditResult,
  spec: AuditSpec,
  { alpha, runtime }: { readonly alpha: number; readonly runtime?: RuntimeOptions | undefined },
): "same" | "another" | "other" {
  const about = (model: string, key: string, data: string) => ({ model, key, data });
  const subject = about(spec.modelSha256, spec.keySha256, spec.dataset.sha256);
  if (!isDeepStrictEqual(about(result.model.sha256, result.key.sha256, result.data.sha256), subject)) return "other";
  const expected = {
    ...expectedOf(runtime),
    alpha,
    budgets: spec.budgets,
    seeds: spec.seeds,
    reactivation: spec.reactivation ?? null,
    attacks: spec.methods.map(({ id, options }) => ({ method: id, options })),
  };
  const found = {
    ...foundIn(result),
    alpha: result.alpha,
    budgets: result.budgets,
    seeds: result.seeds,
    reactivation: result.reactivation,
    attacks: result.attacks.map(({ method, options }) => ({ method, options })),
  };
  return isDeepStrictEqual(asJson(found), asJson(expected)) ? "same" : "another";
}

/** Whether `result` is what `spec` would give with this version of Wildmark and this runtime, times and machine apart. */
export function isResultOf(result: Result, spec: ReproduceSpec, runtime: RuntimeOptions = {}): boolean {
  const expected = {
    ...expectedOf(runtime),
    data: spec.dataset.sha256,
    architecture: spec.architecture.id,
    fraction: spec.fraction,
    seeds: spec.seeds,
    spec: specDocument(spec),
  };
  const found = {
    ...foundIn(result),
    data: result.data.sha256,
    architecture: result.architecture.id,
    fraction: result.attacker.fraction,
    seeds: result.seeds,
    spec: result.spec,
  };
  return isDeepStrictEqual(asJson(found), asJson(expected));
}

/** What of software and machine must agree, as this run would write it down. */
function expectedOf(runtime: RuntimeOptions = {}) {
  return {
    software: { wildmark: WILDMARK_VERSION, onnxruntime: runtimeVersion() },
    device: runtime.device ?? "cpu",
    tuning: autotuningOf(runtime),
  };
}

function foundIn({ software, machine }: Pick<Result, "software" | "machine">) {
  const { wildmark, onnxruntime } = software;
  return { software: { wildmark, onnxruntime }, device: machine.device, tuning: machine.tuning };
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function parseJson(text: string, path: string, commands: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WildmarkError("bad-file", `${path}: expected a result document, found no JSON.`, {
      hint: `Give the result.json that wildmark ${commands} writes.`,
      cause,
    });
  }
}

function firstIssue(issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): string {
  const [issue] = issues;
  if (issue === undefined) return "it is malformed";
  return issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`;
}
