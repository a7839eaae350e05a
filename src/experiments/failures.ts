/**
 * @file What failed in an experiment, kept beside the cells until it is tried again: so that every process can tell of
 * it.
 */

import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { writeError, writeFileAtomic } from "../core/files.js";
import { parsedJson } from "../core/json.js";
import type { CellAddress } from "./plan.js";
import type { KnownSpec, KnownSubject } from "./spec.js";
import { sha256 } from "./store.js";

const failureSchema = z.object({ name: z.string(), reason: z.string(), code: z.string().optional() });

/** Why a cell failed, and the code of the error if Wildmark foresees it. */
export interface Failure {
  readonly reason: string;
  readonly code?: string | undefined;
}

/** Why cells failed when they were tried last, by `failureName`. */
export type Failures = ReadonlyMap<string, Failure>;

/** Tells a cell apart from others whatever else its experiment holds. */
export function failureName(spec: KnownSpec, address: CellAddress): string {
  const { dataset, architecture, training } = spec;
  const subject = "subject" in address ? spec.subjects[address.subject] : undefined;
  const remover = address.kind === "attack" ? spec.removers[address.remover]?.chosen : undefined;
  const fraction = address.kind === "attack" ? spec.budgets[address.budget] : undefined;
  const what = [address.kind, address.seed, whoIs(subject), remover?.id, remover?.options, fraction];
  return sha256(JSON.stringify([dataset.sha256, architecture.id, training, ...what])).slice(0, 24);
}

function whoIs(subject: KnownSubject | undefined) {
  if (subject?.kind === "given") return [subject.modelSha256, subject.keySha256];
  return [subject?.mark.id, subject?.mark.options];
}

export function failureOf(error: Error): Failure {
  return { reason: error.message, ...(error instanceof WildmarkError ? { code: error.code } : {}) };
}

export async function writeFailure(out: string, name: string, failure: Failure): Promise<void> {
  const folder = failureFolder(out);
  await mkdir(folder, { recursive: true }).catch((error) => Promise.reject(writeError(folder, error)));
  const text = JSON.stringify({ name, ...failure }, undefined, 1);
  await writeFileAtomic(join(folder, `${name}.json`), Buffer.from(`${text}\n`), { force: true });
}

/** Before they are tried again. */
export async function forgetFailures(out: string, names: readonly string[]): Promise<void> {
  const kept = new Set(await readdir(failureFolder(out)).catch((): string[] => []));
  for (const name of names) {
    if (kept.has(`${name}.json`)) await rm(join(failureFolder(out), `${name}.json`), { force: true });
  }
}

export async function readFailures(out: string): Promise<Failures> {
  const folder = failureFolder(out);
  const failures = new Map<string, Failure>();
  for (const file of await readdir(folder).catch((): string[] => [])) {
    if (!file.endsWith(".json")) continue;
    // One that vanished meanwhile is being tried again; one that is damaged tells nothing.
    const text = await readFile(join(folder, file), "utf8").catch(() => "");
    const parsed = failureSchema.safeParse(parsedJson(text));
    if (parsed.success) failures.set(parsed.data.name, parsed.data);
  }
  return failures;
}

function failureFolder(out: string): string {
  return join(out, "failures");
}
