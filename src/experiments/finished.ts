/** @file Result documents on disk: read back with suspicion, and told apart by the experiment they come from. */

import { isDeepStrictEqual } from "node:util";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded } from "../core/files.js";
import { WILDMARK_VERSION } from "../core/version.js";
import { type Device, runtimeVersion } from "../runtime/session.js";
import { type ReproduceSpec, specDocument } from "./reproduce.js";
import { RESULT_FORMAT, RESULT_VERSION, type Result, resultSchema } from "./result.js";

/** Pictures included, a result of many seeds stays far below. */
const LARGEST_RESULT = 256 * 2 ** 20;

/** @throws WildmarkError `bad-file` when the file is missing, no JSON, or no result of this version. */
export async function readResult(path: string): Promise<Result> {
  const bytes = await readFileBounded(path, { what: "a result document", maxBytes: LARGEST_RESULT });
  const document = parseJson(Buffer.from(bytes).toString("utf8"), path);
  const parsed = resultSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new WildmarkError(
    "bad-file",
    `${path}: no result document of this version: ${firstIssue(parsed.error.issues)}.`,
    {
      hint: `Expected format "${RESULT_FORMAT}", version ${RESULT_VERSION}: the result.json that wildmark reproduce writes.`,
    },
  );
}

/** Whether `result` is what `spec` would give with this version of Wildmark on this device, times and machine apart. */
export function isResultOf(result: Result, spec: ReproduceSpec, device: Device = "cpu"): boolean {
  const expected = {
    software: { wildmark: WILDMARK_VERSION, onnxruntime: runtimeVersion() },
    device,
    data: spec.dataset.sha256,
    architecture: spec.architecture.id,
    fraction: spec.fraction,
    seeds: spec.seeds,
    spec: specDocument(spec),
  };
  const found = {
    software: { wildmark: result.software.wildmark, onnxruntime: result.software.onnxruntime },
    device: result.machine.device,
    data: result.data.sha256,
    architecture: result.architecture.id,
    fraction: result.attacker.fraction,
    seeds: result.seeds,
    spec: result.spec,
  };
  return isDeepStrictEqual(asJson(found), asJson(expected));
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WildmarkError("bad-file", `${path}: expected a result document, found no JSON.`, {
      hint: "Give the result.json that wildmark reproduce writes.",
      cause,
    });
  }
}

function firstIssue(issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): string {
  const [issue] = issues;
  if (issue === undefined) return "it is malformed";
  return issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`;
}
