/**
 * @file What the commands that state an experiment share: the flags that all of them have, and the way from a spec to
 * what lies in its folder (result.json, report.html, cells.csv, table.tex) and on the terminal.
 */

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { writeFileAtomic } from "../core/files.js";
import type { ExperimentDocument } from "../experiments/document.js";
import { compareDocument, readExperimentDocument } from "../experiments/documents.js";
import { calibrate, type Estimate, estimateCells, finishedSeconds } from "../experiments/estimate.js";
import { planCells, type Shard, shardOf } from "../experiments/plan.js";
import { failureReasons, runExperiment } from "../experiments/run.js";
import { cellRuntime, cellThreads } from "../experiments/run-cells.js";
import type { ExperimentSpec, KnownSpec } from "../experiments/spec.js";
import { requireMarksFit } from "../experiments/statements/marks-fit.js";
import { briefly } from "../report/brief.js";
import { csv, latex } from "../report/exports.js";
import { findingsOf } from "../report/findings/findings.js";
import { renderReport } from "../report/render.js";
import { terminalReport } from "../report/terminal.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Call, Network, Outcome } from "./command.js";
import { doubtLines, doubtsOf } from "./data.js";
import { newNetwork } from "./network.js";
import { textTable } from "../core/text-table.js";
import { count, indented } from "./output.js";
import { exists, requireFolder, requireNoFile, requireWritable } from "./outputs.js";
import { clock } from "./progress.js";
import { defined } from "../core/defined.js";

/** Each job holds a copy of the data and of a model in training: more than this is seldom worth its memory. */
const MOST_JOBS_BY_DEFAULT = 8;

/** How an experiment is computed. */
export const runFlags = {
  jobs: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: "cells computed side by side (default: one for each core, at most 8)", placeholder: "N" }),
  shard: z
    .string()
    .regex(/^\d{1,4}\/\d{1,4}$/, "expected a part and their number, such as 2/3")
    .optional()
    .meta({ description: "compute only part I of N, on this machine; other parts elsewhere", placeholder: "I/N" }),
  dryRun: z.boolean().default(false).describe("list the cells and how long they may take, run nothing"),
};

/** What an experiment is asked, if no file says it. */
export const askFlags = {
  arch: z.string().optional().meta({
    description: "architecture of models that are trained (default: lenet5 for grey images, resnet18-16 for colour)",
    placeholder: "NAME",
  }),
  epochs: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "epochs of every attack (default: each method's own)", placeholder: "N" }),
  seeds: z
    .int()
    .min(1)
    .max(1000)
    .default(1)
    .meta({ description: "repetitions: seeds --seed, --seed + 1, …", placeholder: "N" }),
  alpha: z.number().gt(0).lt(1).default(0.05).describe("significance level of the verdicts"),
  acceptableDrop: z
    .number()
    .min(0)
    .max(1)
    .default(0.02)
    .describe("accuracy that an attacker would give for the mark: 0.02 is two points"),
};

export function budgetsFlag(budgets: readonly number[]) {
  return z
    .array(z.number().gt(0).max(1))
    .min(1)
    .default([...budgets])
    .meta({ description: "the attacker's shares of the training images: 0.01,0.1 or 1%,10%", placeholder: "LIST" });
}

/** The experiment's own seeds. */
export function seedsOf(seed: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => seed + i);
}

type RunFlags = z.infer<z.ZodObject<typeof runFlags>>;

export interface RunStatement {
  /** The command's name. */
  readonly name: string;
  /** The experiment's folder. */
  readonly out: string;
  /** The spec's file, and where in it each mark stands, for messages. */
  readonly file?: { readonly name: string; readonly places: readonly string[] };
  /** Done once it is known where models run, before the first cell. */
  readonly prepare?: (runtime: RuntimeOptions) => Promise<void>;
}

/**
 * Runs what is not finished of the experiment, and writes what came of it.
 *
 * @throws WildmarkError `cannot-write` when `out` holds the result of something else (without force).
 */
export async function runStatement(
  spec: ExperimentSpec,
  { name, out, file, prepare }: RunStatement,
  call: Call<RunFlags>,
): Promise<Outcome> {
  await requireNoFile(out);
  await requireMarksFit(spec, file);
  const { progress, signal, typed, force, flags } = call;
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
  const runtime = await call.runtimeFor(networkOf(spec));
  const jobs = chosenJobs(flags.jobs, runtime);
  if (flags.dryRun) return listed(spec, { name, out, shard, jobs, runtime });
  await requireFolder(out);
  const earlier = await earlierDocument(out, spec, { force, runtime });
  if (earlier !== undefined) progress.note(`${out} holds this result already; only the report is drawn again`);
  if (earlier === undefined) await prepare?.(runtime);
  const options = { runtime, progress, signal, out, command: typed, jobs, ...defined({ shard }) };
  const document = earlier ?? (await runExperiment(spec, options));
  return written(document, { name, out, spec, computed: earlier === undefined });
}

/** Writes what follows from a document into its folder, and says what it says. */
export async function written(
  document: ExperimentDocument,
  where: { readonly name: string; readonly out: string; readonly spec: KnownSpec; readonly computed: boolean },
): Promise<Outcome> {
  const { name, out, spec, computed } = where;
  const paths = pathsIn(out);
  const findings = findingsOf(document);
  const write = (path: string, text: string) => writeFileAtomic(path, Buffer.from(text), { force: true });
  if (computed) await write(paths.result, `${JSON.stringify(document, undefined, 1)}\n`);
  await write(paths.report, await renderReport(document));
  await write(paths.cells, csv(document));
  await write(paths.table, latex(findings));
  const failures = await failureReasons(spec, out, document);
  const doubts = doubtsOf(document.data);
  return {
    failed: failures.length > 0,
    document: {
      ...{ command: name, out, ...paths, computed, complete: document.complete, ...tally(document) },
      ...{ seconds: document.seconds, doubts, failures },
      ...briefly(findings),
    },
    text: [
      ...terminalReport(findings),
      ...(failures.length === 0 ? [] : [failuresText(failures)]),
      `${tallyText(document)}${document.complete ? "" : "; the same command goes on with what is missing"}`,
      ...doubtLines(doubts),
      `Report: ${paths.report}\nResult: ${paths.result}`,
    ].join("\n\n"),
  };
}

/** Paths of what an experiment leaves. */
export function pathsIn(out: string) {
  return {
    result: join(out, "result.json"),
    report: join(out, "report.html"),
    cells: join(out, "cells.csv"),
    table: join(out, "table.tex"),
  };
}

/** The network that cells run: the given model, or a fresh one of the architecture. */
export function networkOf(spec: ExperimentSpec): Network {
  const given = spec.subjects.find((subject) => subject.kind === "given");
  if (given === undefined) return newNetwork(spec);
  const { shape, classes } = spec.dataset.train;
  return { model: given.model, shape, classes };
}

/** As many jobs as the cores hold, with the threads that each is given; a GPU is not shared. */
export function chosenJobs(jobs: number | undefined, runtime: RuntimeOptions): number {
  if (jobs !== undefined) return jobs;
  if (runtime.device !== undefined && runtime.device !== "cpu") return 1;
  return Math.max(1, Math.min(MOST_JOBS_BY_DEFAULT, Math.floor(availableParallelism() / cellThreads(runtime))));
}

/** The document in the folder if it is this very experiment's with nothing left to try again. */
async function earlierDocument(
  out: string,
  spec: ExperimentSpec,
  { force, runtime }: { readonly force: boolean; readonly runtime: RuntimeOptions },
): Promise<ExperimentDocument | undefined> {
  const paths = pathsIn(out);
  if (!(await exists(paths.result))) {
    if (!force && (await exists(paths.report))) await requireWritable(paths.report, false);
    return undefined;
  }
  const found = await readExperimentDocument(paths.result).catch((error) =>
    force ? undefined : Promise.reject(error),
  );
  if (found === undefined) return undefined;
  const again = [...found.nullModels, ...found.marked, ...found.attacks].some(
    (cell) => cell.status === "failed" && cell.mayPass,
  );
  switch (compareDocument(found, spec, runtime)) {
    case "same":
      return again || !found.complete ? undefined : found;
    case "another":
      return undefined;
    case "other":
      if (force) return undefined;
      throw new WildmarkError("cannot-write", `${paths.result} is the result of ${said(found)}.`, {
        hint: "Choose another folder with --out, or pass --force to replace it; finished cells are kept in any case.",
      });
  }
}

/** "an audit of marked.onnx on digits" */
function said({ statement, subjects, architecture, data }: ExperimentDocument): string {
  const given = subjects.find((subject) => subject.kind === "given");
  const of = given?.model.name ?? architecture?.id ?? "";
  return `${statement === "audit" ? "an audit" : statement === "bench" ? "a bench" : "reproduce"} of ${of} on ${data.id}`;
}

/** What would be run. */
async function listed(
  spec: ExperimentSpec,
  options: RunStatement & {
    readonly shard: Shard | undefined;
    readonly jobs: number;
    readonly runtime: RuntimeOptions;
  },
): Promise<Outcome> {
  const { name, out, shard, jobs, runtime } = options;
  const plan = planCells(spec);
  const place = { spec, out, run: { runtime: cellRuntime(runtime) } };
  const finished = await finishedSeconds(place, plan);
  const pace = finished.size === 0 ? await calibrate(place) : undefined;
  const estimates = estimateCells(spec, plan, finished, pace);
  const cells = shard === undefined ? plan.cells : shardOf(plan.cells, shard);
  const rows = cells.map(({ what, steps, position }) => {
    const estimate = estimates.get(position);
    return { what, steps, finished: finished.has(position), seconds: estimate?.seconds, grounds: estimate?.grounds };
  });
  const left = rows.filter((row) => !row.finished);
  const seconds = left.reduce((sum, row) => sum + (row.seconds ?? 0), 0);
  const unknown = left.filter((row) => row.seconds === undefined).length;
  const skipped = plan.skipped.map(({ address: { subject, remover, budget, seed }, reason }) => ({
    subject: spec.subjects[subject]?.name,
    remover: spec.removers[remover]?.name,
    budget: spec.budgets[budget],
    seed,
    reason,
  }));
  const reasons = [...new Set(skipped.map(({ reason }) => reason))];
  return {
    document: {
      ...{ command: name, dryRun: true, cells: rows, skipped, secondsLeft: seconds, cellsOfUnknownTime: unknown, jobs },
    },
    text: [
      textTable(
        rows.map((row) => [row.what, count(row.steps), row.finished ? "finished" : timeInWords(row.seconds)]),
        ["cell", "steps", "time"],
      ),
      ...reasons.map((reason) => {
        const cannot = skipped.filter((each) => each.reason === reason);
        return `${count(cannot.length)} cells cannot be tried: ${reason}`;
      }),
      `${count(rows.length)} cells, ${count(rows.length - left.length)} finished, ${count(skipped.length)} ` +
        `that cannot be tried. ` +
        `Left: about ${clock(seconds)} of computing, with ${jobs} side by side ${clock(seconds / jobs)}` +
        `${unknown === 0 ? "" : `, and ${count(unknown)} cells of unknown time`}. ${groundsOf(left)}`,
    ].join("\n\n"),
  };
}

function timeInWords(seconds: number | undefined): string {
  return seconds === undefined ? "unknown" : clock(seconds);
}

/** What the estimates rest on. */
function groundsOf(rows: readonly { readonly grounds: Estimate["grounds"] | undefined }[]): string {
  const words: Readonly<Record<Estimate["grounds"], string>> = {
    "same kind": "finished cells of the same kind",
    pace: "the pace of other finished cells",
    calibration: "a few steps tried just now",
    unknown: "nothing, because the method does not say how many steps it takes",
  };
  const used = [...new Set(rows.map(({ grounds }) => grounds))].filter((grounds) => grounds !== undefined);
  return used.length === 0 ? "" : `Estimated from ${used.map((grounds) => words[grounds]).join("; ")}.`;
}

/** "3/7" */
export function parseShard(text: string): Shard {
  const [index = 0, of = 0] = text.split("/").map(Number);
  if (index >= 1 && index <= of) return { index, count: of };
  throw new WildmarkError("usage", `--shard ${text}: expected a part and their number, such as 1/3, 2/3, 3/3.`);
}

/** What became of the attacks, in numbers. */
export function tally({ attacks }: Pick<ExperimentDocument, "attacks">) {
  const of = (status: ExperimentDocument["attacks"][number]["status"]): number =>
    attacks.filter((cell) => cell.status === status).length;
  return {
    attacks: attacks.length,
    done: of("done"),
    failed: of("failed"),
    skipped: of("skipped"),
    missing: of("missing"),
  };
}

/** "120 attacks: 96 done, 1 failed, 23 missing" */
export function tallyText(document: Pick<ExperimentDocument, "attacks">): string {
  const { attacks, ...parts } = tally(document);
  const named = Object.entries(parts).filter(([, number]) => number > 0);
  return `${count(attacks)} attacks: ${named.map(([name, number]) => `${count(number)} ${name}`).join(", ")}`;
}

/** Why something failed, each reason once, with how often it occurs. */
export function failuresText(reasons: readonly string[]): string {
  const lines = [...new Set(reasons)].map((reason) => {
    const times = reasons.filter((other) => other === reason).length;
    return times === 1 ? reason : `${reason} (${times} cells)`;
  });
  return `Failed:\n${indented(lines.join("\n"))}`;
}
