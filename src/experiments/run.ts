/**
 * @file Runs an experiment: subjects × removers × budgets × seeds become cells, cells become one document.
 *
 * Every cell is kept when it is finished. The document can be drawn up at any moment from what is there.
 */

import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { parsedJson } from "../core/json.js";
import { cellFolder, finishAt } from "./cells.js";
import { EXPERIMENT_VERSION, type ExperimentDocument, RESULT_FORMAT } from "./document.js";
import { type Failure, failureName, failureOf, forgetFailures, readFailures, writeFailure } from "./failures.js";
import { keepExperiment } from "./folder.js";
import { gather } from "./gather.js";
import { dataSummary, thisMachine, thisSoftware } from "./machine.js";
import { type Plan, planCells, type Shard, shardOf } from "./plan.js";
import { packSpec } from "./packed.js";
import { type CellsOptions, type CellWork, cellRuntime, cellThreads, runCells } from "./run-cells.js";
import type { ExperimentSpec, KnownSpec } from "./spec.js";
import { exactPercent } from "../core/percent.js";

export interface ExperimentOptions extends CellsOptions {
  /** The command line that does this again, for the document. */
  readonly command?: string;
  /** Compute only this part of the cells; default: all. */
  readonly shard?: Shard;
}

/**
 * Computes what is not finished of an experiment, or of a shard of it, and gathers all that is there into its document.
 *
 * A cell that cannot be tried is skipped; one that fails is reported as failed, and tried again by the next run.
 *
 * @throws WildmarkError `interrupted`, `cannot-write`; what is finished is kept.
 */
export async function runExperiment(spec: ExperimentSpec, options: ExperimentOptions): Promise<ExperimentDocument> {
  const started = new Date();
  const { out, progress, shard } = options;
  const plan = planCells(spec);
  requireWork(plan);
  await mkdir(out, { recursive: true });
  await keepExperiment(out, spec);
  for (const line of [...skippedLines(spec, plan), ...(await foreignCells(out))]) progress?.note(line);
  const cells = shard === undefined ? plan.cells : shardOf(plan.cells, shard);
  const names = new Map(cells.map(({ address, position }) => [position, failureName(spec, address)]));
  await forgetFailures(out, [...names.values()]);
  const failed = new Map<string, Failure>();
  const work: CellWork = {
    plan: plan.cells,
    finish: ({ address }, run) => finishAt({ spec, out, run }, address),
    pack: () => packSpec(spec),
  };
  await runCells(work, options, {
    cells,
    onFailure: async ({ position }, error) => {
      const name = names.get(position) ?? "";
      failed.set(name, failureOf(error));
      await writeFailure(out, name, failureOf(error));
    },
  });
  return document(spec, plan, failed, started, options);
}

/** @throws WildmarkError `bad-data` if no attack at all can be tried: before anything is trained. */
function requireWork({ cells, skipped: [first] }: Plan): void {
  if (first === undefined || cells.some(({ address }) => address.kind === "attack")) return;
  throw new WildmarkError("bad-data", `No attack can be tried: ${first.reason}`, {
    hint: "Give the attacker larger shares of the data (--budgets), or load more of them.",
  });
}

/** The document of what is finished now; computes nothing, and needs no data. */
export async function documentOf(spec: KnownSpec, options: ExperimentOptions): Promise<ExperimentDocument> {
  return document(spec, planCells(spec), new Map(), new Date(), options);
}

async function document(
  spec: KnownSpec,
  plan: Plan,
  failed: ReadonlyMap<string, Failure>,
  started: Date,
  { out, runtime, jobs = 1, command = "" }: ExperimentOptions,
): Promise<ExperimentDocument> {
  const failures = new Map([...(await readFailures(out)), ...failed]);
  const contents = await gather({ spec, out, run: { runtime: cellRuntime(runtime) } }, plan, failures);
  const finished = new Date();
  return {
    format: RESULT_FORMAT,
    version: EXPERIMENT_VERSION,
    kind: "experiment",
    command,
    started: started.toISOString(),
    finished: finished.toISOString(),
    seconds: (finished.getTime() - started.getTime()) / 1000,
    software: thisSoftware(),
    machine: thisMachine(runtime ?? {}, jobs * cellThreads(runtime)),
    data: dataSummary(spec),
    ...contents,
  };
}

/** Why models, attacks and keys tried on null models failed that are not there: a reason for each. */
export async function failureReasons(
  spec: KnownSpec,
  out: string,
  { nullModels, marked, attacks }: ExperimentDocument,
): Promise<readonly string[]> {
  const shown = [...nullModels, ...marked, ...attacks].flatMap((cell) =>
    cell.status === "failed" ? [cell.reason] : [],
  );
  // A key that could not be tried on null models has no place of its own in the document.
  const failures = await readFailures(out);
  const untried = marked.flatMap((each) => {
    if (each.status !== "done" || each.onNullModels.length > 0) return [];
    const { seed, subject } = each;
    return failures.get(failureName(spec, { kind: "key-check", seed, subject }))?.reason ?? [];
  });
  return [...shown, ...untried];
}

/** What cannot be tried, a line for each reason. */
function skippedLines({ removers, budgets, seeds }: KnownSpec, { skipped }: Plan): string[] {
  const byReason = new Map<string, Set<string>>();
  for (const { address, reason } of skipped) {
    const what = `${removers[address.remover]?.name} with ${exactPercent(budgets[address.budget] ?? 0)}`;
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
    const parsed = versionsSchema.safeParse(parsedJson(text));
    if (!parsed.success) continue;
    const name = nameOf(parsed.data.spec.versions);
    if (name !== nameOf(here)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(
    ([name, count]) =>
      `${count} cells in ${cellFolder(out)} were made by ${name}; this is ${nameOf(here)}, and takes none of them`,
  );
}
