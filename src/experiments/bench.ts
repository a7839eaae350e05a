/**
 * @file Which remover breaks which mark, with how much data, how surely: every mark under every remover, budget and seed.
 *
 * Marked models are trained once for each mark and seed and shared by all that attack them; every cell is kept when it is
 * finished. The document can be drawn up at any moment from what is there.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { benchContents } from "./bench-document.js";
import { type Failures, failureName, forgetFailures, readFailures, writeFailure } from "./bench-failures.js";
import { type BenchPlan, percent, planBench, shardOf } from "./bench-plan.js";
import type { BenchResult } from "./bench-result.js";
import type { BenchSpec, KnownBench } from "./bench-spec.js";
import { benchExperiment } from "./experiment.js";
import { cellFolder } from "./finish-cells.js";
import { dataSummary, parameterCount, thisMachine, thisSoftware } from "./machine.js";
import { RESULT_FORMAT, RESULT_VERSION } from "./result.js";
import { type CellsOptions, cellRuntime, cellThreads, runCells } from "./run-cells.js";

/** One of so many parts, from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

export interface BenchOptions extends CellsOptions {
  /** The command line that does this again, for the document. */
  readonly command?: string;
  /** Compute only this part of the cells; default: all. */
  readonly shard?: Shard;
}

/**
 * Computes what is not finished of a bench, or of a shard of it, and gathers all that is there into its document.
 *
 * A cell that cannot be tried is skipped; one that fails is reported as failed, and tried again by the next run.
 *
 * @throws WildmarkError `interrupted`, `cannot-write`; what is finished is kept.
 */
export async function runBench(spec: BenchSpec, options: BenchOptions): Promise<BenchResult> {
  const started = new Date();
  const { out, progress, shard } = options;
  const plan = planBench(spec);
  for (const line of [...skippedLines(spec, plan), ...(await foreignCells(out))]) progress?.note(line);
  const cells = shard === undefined ? plan.cells : shardOf(plan.cells, shard.index, shard.count);
  const names = new Map(cells.map(({ address, position }) => [position, failureName(spec, address)]));
  await forgetFailures(out, [...names.values()]);
  const failed = new Map<string, string>();
  await runCells(benchExperiment(spec, plan), options, {
    cells,
    goOn: true,
    onFailure: async ({ position }, { message }) => {
      const name = names.get(position) ?? "";
      failed.set(name, message);
      await writeFailure(out, name, message);
    },
  });
  return gather(spec, plan, failed, started, options);
}

/** The document of what is finished now; computes nothing, and needs no data. */
export async function benchDocument(spec: KnownBench, options: BenchOptions): Promise<BenchResult> {
  return gather(spec, planBench(spec), new Map(), new Date(), options);
}

async function gather(
  spec: KnownBench,
  plan: BenchPlan,
  failed: Failures,
  started: Date,
  { out, runtime, jobs = 1, command = "" }: BenchOptions,
): Promise<BenchResult> {
  const failures = new Map([...(await readFailures(out)), ...failed]);
  const contents = await benchContents({ spec, out, run: { runtime: cellRuntime(runtime) } }, plan, (address) =>
    failures.get(failureName(spec, address)),
  );
  const finished = new Date();
  return {
    format: RESULT_FORMAT,
    version: RESULT_VERSION,
    kind: "bench",
    title: spec.title,
    command,
    started: started.toISOString(),
    finished: finished.toISOString(),
    seconds: (finished.getTime() - started.getTime()) / 1000,
    software: thisSoftware(),
    machine: thisMachine(runtime ?? {}, jobs * cellThreads(runtime)),
    data: dataSummary(spec),
    architecture: {
      id: spec.architecture.id,
      title: spec.architecture.title,
      parameters: parameterCount(spec.architecture, spec.dataset),
    },
    ...contents,
  };
}

/** Why models, cells and keys tried on unmarked models failed that are not there: a reason for each. */
export async function failureReasons(
  spec: KnownBench,
  out: string,
  { unmarked, owners, cells }: BenchResult,
): Promise<readonly string[]> {
  const shown = [...unmarked, ...owners, ...cells].flatMap((cell) => (cell.status === "failed" ? [cell.reason] : []));
  // A key that could not be tried on unmarked models has no place of its own in the document.
  const failures = await readFailures(out);
  const untried = owners.flatMap((owner) => {
    if (owner.status !== "done" || owner.innocents.length > 0) return [];
    const { seed, mark } = owner;
    return failures.get(failureName(spec, { kind: "innocents", seed, mark })) ?? [];
  });
  return [...shown, ...untried];
}

/** What cannot be tried, a line for each reason. */
function skippedLines({ removers, budgets, seeds }: KnownBench, { skipped }: BenchPlan): string[] {
  const byReason = new Map<string, Set<string>>();
  for (const { address, reason } of skipped) {
    const what = `${removers[address.remover]?.name} with ${percent(budgets[address.budget] ?? 0)}`;
    byReason.set(reason, (byReason.get(reason) ?? new Set()).add(what));
  }
  const many = seeds.length > 1 ? " with some seed" : "";
  return [...byReason].map(([reason, what]) => `skipped${many}: ${[...what].join(", ")}: ${reason}`);
}

const versionsSchema = z.object({
  spec: z.object({ versions: z.object({ wildmark: z.string(), onnxruntime: z.string() }) }),
});

/** Says which cells in a folder come from other versions: they are left alone, and computed anew. */
export async function foreignCells(out: string): Promise<string[]> {
  const counts = new Map<string, number>();
  const here = thisSoftware();
  const nameOf = (software: { readonly wildmark: string; readonly onnxruntime: string }): string =>
    `Wildmark ${software.wildmark} with ONNX Runtime ${software.onnxruntime}`;
  const files = await readdir(cellFolder(out)).catch((): string[] => []);
  for (const file of files.filter((each) => each.endsWith(".json"))) {
    const text = await readFile(join(cellFolder(out), file), "utf8").catch(() => "");
    // What is damaged belongs to no version; it is computed again, as everything damaged is.
    const parsed = versionsSchema.safeParse(orUndefined(() => JSON.parse(text)));
    if (!parsed.success) continue;
    const name = nameOf(parsed.data.spec.versions);
    if (name !== nameOf(here)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(
    ([name, count]) =>
      `${count} cells in ${cellFolder(out)} were made by ${name}; this is ${nameOf(here)}, and takes none of them`,
  );
}

function orUndefined(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
