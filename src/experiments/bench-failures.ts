/** @file What failed in a bench, kept beside the cells until it is tried again: so that every process can tell of it. */

import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeError, writeFileAtomic } from "../core/files.js";
import type { BenchAddress } from "./bench-plan.js";
import type { KnownBench } from "./bench-spec.js";
import { sha256 } from "./store.js";

const failureSchema = z.object({ name: z.string(), reason: z.string() });

/** Why cells failed when they were tried last, by `failureName`. */
export type Failures = ReadonlyMap<string, string>;

/** Tells a cell apart from others whatever else its bench holds. */
export function failureName(spec: KnownBench, address: BenchAddress): string {
  const { dataset, architecture, training } = spec;
  const mark = "mark" in address ? spec.marks[address.mark]?.chosen : undefined;
  const remover = address.kind === "attack" ? spec.removers[address.remover]?.chosen : undefined;
  const fraction = address.kind === "attack" ? spec.budgets[address.budget] : undefined;
  const what = [address.kind, address.seed, mark?.id, mark?.options, remover?.id, remover?.options, fraction];
  return sha256(JSON.stringify([dataset.sha256, architecture.id, training, ...what])).slice(0, 24);
}

export async function writeFailure(out: string, name: string, reason: string): Promise<void> {
  const folder = failureFolder(out);
  await mkdir(folder, { recursive: true }).catch((error) => Promise.reject(writeError(folder, error)));
  const text = JSON.stringify({ name, reason }, undefined, 1);
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
  const failures = new Map<string, string>();
  for (const file of await readdir(folder).catch((): string[] => [])) {
    if (!file.endsWith(".json")) continue;
    // One that vanished meanwhile is being tried again; one that is damaged tells nothing.
    const text = await readFile(join(folder, file), "utf8").catch(() => "");
    const parsed = failureSchema.safeParse(orUndefined(() => JSON.parse(text)));
    if (parsed.success) failures.set(parsed.data.name, parsed.data.reason);
  }
  return failures;
}

function failureFolder(out: string): string {
  return join(out, "failures");
}

function orUndefined(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
