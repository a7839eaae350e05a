/**
 * @file Where cells keep their results, so that stopped work goes on where it stopped.
 *
 * A cell is a pure function of its spec. Its result is written once, atomically, under a name that contains the hash of
 * that spec, together with the files it made; it counts as finished when the result and all of its files are there and
 * the files' hashes are right. Killing the process at any moment loses of the cell in flight what its checkpoint does
 * not hold yet: an epoch, or some seconds.
 *
 * Several processes may work in one folder, also one on a shared disk: a cell that is being computed is claimed
 * (`claims.ts`). Where two compute the same cell all the same, both write the same, each file in one step.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { writeFileAtomic } from "../core/files.js";
import { parsedJson } from "../core/json.js";
import { keeping, openCheckpoint, type RunCheckpoint } from "../tasks/checkpoint.js";
import { takeClaim } from "./claims.js";
import { defined } from "../core/defined.js";

/** A cell before it is computed. */
export interface Cell<Result> {
  /** What the cell's file is called, for people: "removal-content-wild-js-seed0". */
  readonly name: string;
  /** Everything that the result depends on. */
  readonly spec: z.core.util.JSONType;
  readonly schema: z.ZodType<Result>;
  /** @param checkpoint where it leaves how far it is, and goes on from. */
  readonly compute: (checkpoint: RunCheckpoint) => Promise<ComputedCell<Result>>;
}

/** What finds a cell that is finished: all of it but how it is computed. */
export type CellDefinition<Result> = Omit<Cell<Result>, "compute">;

export interface ComputedCell<Result> {
  readonly result: Result;
  /** Files beside the result, by name: models and keys. */
  readonly files: Readonly<Record<string, StoredFile>>;
}

export interface StoredFile {
  readonly bytes: Uint8Array;
  /** Permission bits; 0600 for keys. */
  readonly mode?: number;
}

export interface FinishedCell<Result> {
  readonly result: Result;
  /** Paths of the cell's files, by name. */
  readonly paths: Readonly<Record<string, string>>;
  /** False when it was found finished. */
  readonly computed: boolean;
  /** Time that computing it took, then; 0 for cells from before it was written down. */
  readonly seconds: number;
}

/** Another process is computing the cell: ask again later. */
export class CellBusy extends Error {
  override readonly name = "CellBusy";
}

const finishedSchema = z.object({
  spec: z.json(),
  seconds: z.number().min(0).default(0),
  result: z.json(),
  files: z.record(z.string(), z.object({ file: z.string(), sha256: z.string() })),
});

/**
 * The cell's result: read where it is finished, computed and written where it is not.
 *
 * @throws CellBusy while another process computes it; WildmarkError `cannot-write`.
 */
export async function finishCell<Result>(folder: string, cell: Cell<Result>): Promise<FinishedCell<Result>> {
  const found = await findFinished(folder, cell);
  if (found !== undefined) return found;
  const claim = await takeClaim(join(folder, `${stemOf(cell)}.claim`));
  if (claim === undefined) throw new CellBusy(`${cell.name} is being computed by another process`);
  try {
    // It may have been finished between the first look and the claim.
    return (await findFinished(folder, cell)) ?? (await computeCell(folder, cell));
  } finally {
    await claim.release();
  }
}

async function computeCell<Result>(folder: string, cell: Cell<Result>): Promise<FinishedCell<Result>> {
  const stem = stemOf(cell);
  const start = performance.now();
  const checkpoint = await openCheckpoint(join(folder, `${stem}.training`), { identity: cell.spec });
  return keeping(checkpoint, async () => {
    const { result: computed, files } = await cell.compute(checkpoint);
    const seconds = (performance.now() - start) / 1000;
    // As it will be read back: a document must not depend on which cells were found finished, not even in its order.
    const result = cell.schema.parse(JSON.parse(JSON.stringify(computed)));
    const written: Record<string, { file: string; sha256: string }> = {};
    for (const [name, { bytes, mode }] of Object.entries(files)) {
      const file = `${stem}.${name}`;
      await writeFileAtomic(join(folder, file), bytes, { force: true, ...defined({ mode }) });
      written[name] = { file, sha256: sha256(bytes) };
    }
    const document = { spec: cell.spec, seconds, result, files: written };
    // The result goes last: once it is there, the cell is finished.
    const path = join(folder, `${stem}.json`);
    await writeFileAtomic(path, Buffer.from(`${JSON.stringify(document, undefined, 1)}\n`), { force: true });
    return { result, paths: pathsOf(folder, written), computed: true, seconds };
  });
}

/** A cell's files begin with its name and the hash of its spec. */
export function stemOf({ name, spec }: Pick<Cell<unknown>, "name" | "spec">): string {
  return `${name}-${sha256(JSON.stringify(spec)).slice(0, 12)}`;
}

/** A finished cell, or undefined where anything is missing, damaged, of another spec or another version. */
export async function findFinished<Result>(
  folder: string,
  cell: CellDefinition<Result>,
): Promise<FinishedCell<Result> | undefined> {
  const { spec, schema } = cell;
  const text = await readFile(join(folder, `${stemOf(cell)}.json`), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const document = finishedSchema.safeParse(parsedJson(text));
  if (!document.success || !isDeepStrictEqual(document.data.spec, JSON.parse(JSON.stringify(spec)))) return undefined;
  const { files, seconds } = document.data;
  for (const { file, sha256: expected } of Object.values(files)) {
    const bytes = await readFile(join(folder, file)).catch(() => undefined);
    if (bytes === undefined || sha256(bytes) !== expected) return undefined;
  }
  const result = schema.safeParse(document.data.result);
  if (!result.success) return undefined;
  return { result: result.data, paths: pathsOf(folder, files), computed: false, seconds };
}

function pathsOf(folder: string, files: Readonly<Record<string, { file: string }>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, { file }]) => [name, join(folder, file)]));
}

export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
