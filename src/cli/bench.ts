/** @file What the commands of a bench share: its file and data, its folder, what is written there. */

import { stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../core/files.js";
import { requireMarksFit } from "../experiments/bench-check.js";
import { factsFor, keepData, readKeptData } from "../experiments/bench-data.js";
import { type BenchFile, parseBenchFile } from "../experiments/bench-file.js";
import type { BenchCell, BenchResult } from "../experiments/bench-result.js";
import { type BenchSpec, benchSpec, type KnownBench } from "../experiments/bench-spec.js";
import { summariseBench } from "../report/bench/summary.js";
import { benchCsv, benchLatex } from "../report/bench/tables.js";
import { renderReport } from "../report/render.js";
import { abstractFor, type DataCall, dataFlags, loadChosen, unrelatedFor } from "./data.js";
import { count, exactPercent, indented, percent, points, table } from "./output.js";

/** More than any list of marks and removers takes. */
const LARGEST_FILE = 2 ** 20;

/** What the folder of a bench is called by default, before the name of its spec. */
const FOLDER = "wildmark-bench-";

/** The spec in a bench's folder, as it was run last. */
const KEPT_SPEC = "spec.yaml";

export const benchFlags = {
  dataDir: dataFlags.dataDir,
  out: z
    .string()
    .optional()
    .meta({ description: "folder for everything (default: wildmark-bench-<name of the spec>)", placeholder: "DIR" }),
};

/** A bench and where it is kept. */
export interface OpenBench<Spec = BenchSpec> {
  readonly spec: Spec;
  readonly out: string;
}

/** A bench that can be run: with its data. */
export interface RunnableBench extends OpenBench {
  readonly file: BenchFile;
  /** Of the spec's file. */
  readonly text: string;
}

interface BenchPlace {
  readonly out?: string | undefined;
  readonly dataDir?: string | undefined;
}

/**
 * Reads the bench that a path means, that of its spec or of a folder where one was run, and loads its data.
 *
 * @throws WildmarkError `usage` that names every mistake of the spec, also those that only its data show; `bad-file`; as
 *   loading its data does.
 */
export async function openBench(path: string, flags: BenchPlace, call: DataCall): Promise<RunnableBench> {
  const { file, place, out, text } = await readSpec(path, flags);
  const spec = await withData(file, flags.dataDir, call);
  await requireMarksFit(spec, { name: place, places: file.markPlaces });
  return { spec, file, out, text };
}

/**
 * The same for those who only look: from what the folder says of the data, where that is all that is needed.
 *
 * @throws WildmarkError as `openBench` does; where the folder says nothing of its data and they cannot be loaded either,
 *   it says so.
 */
export async function lookAtBench(path: string, flags: BenchPlace, call: DataCall): Promise<OpenBench<KnownBench>> {
  const { file, out, kept } = await readSpec(path, flags);
  const facts = factsFor(file, kept);
  if (facts !== undefined) return { spec: benchSpec(file, facts), out };
  try {
    return { spec: await withData(file, flags.dataDir, call), out };
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    const why =
      kept === undefined
        ? `${out} does not say what its data were: nothing has been run there, or an older Wildmark did`
        : `${out} was run on other data than the spec asks for now, or with fewer kinds of marks`;
    throw new WildmarkError(error.code, `${why}. The data themselves: ${error.message}`, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    });
  }
}

async function readSpec(path: string, flags: BenchPlace) {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const place = isFolder ? join(path, KEPT_SPEC) : path;
  const out = flags.out ?? (isFolder ? path : `${FOLDER}${basename(path, extname(path))}`);
  const bytes = await readFileBounded(place, { what: "the spec of a bench", maxBytes: LARGEST_FILE });
  const text = Buffer.from(bytes).toString("utf8");
  const kept = await readKeptData(out);
  const knownData = kept?.asked.dataset.name;
  // A spec in a folder has lost its file's name.
  const title = isFolder ? (kept?.title ?? basename(resolve(path)).replace(FOLDER, "")) : undefined;
  return { file: parseBenchFile(text, place, { title, knownData }), place, out, text, kept };
}

async function withData(file: BenchFile, dataDir: string | undefined, call: DataCall): Promise<BenchSpec> {
  const { name, seed: dataSeed, ...sizes } = file.dataset;
  const dataset = await loadChosen({ dataset: name, dataDir, dataSeed, ...sizes }, call);
  const wants = (test: (mark: BenchSpec["marks"][number]["chosen"]) => boolean): boolean =>
    file.marks.some(({ chosen }) => test(chosen));
  const { unrelated } = file;
  const from = { dataset: name, dataDir };
  return benchSpec(file, {
    dataset,
    ...(await unrelatedFor(
      wants((mark) => mark.needsUnrelated),
      dataset,
      { ...from, unrelated },
      call,
    )),
    ...(await abstractFor(
      wants(({ id }) => id === "abstract"),
      dataset,
      from,
      call,
    )),
  });
}

/** Keeps the spec in the bench's folder, and what is known of its data, so that the folder can be asked without both. */
export async function keepSpec({ spec, file, out, text }: RunnableBench): Promise<void> {
  await keepData(out, file, spec);
  await writeFileAtomic(join(out, KEPT_SPEC), Buffer.from(text), { force: true });
}

/** Paths of what a bench leaves. */
export function benchPaths(out: string) {
  return {
    result: join(out, "result.json"),
    report: join(out, "report.html"),
    cells: join(out, "cells.csv"),
    table: join(out, "table.tex"),
  };
}

/**
 * Writes the result and what follows from it: report, every cell as CSV, means as a LaTeX table.
 *
 * @returns what the report says first.
 * @throws WildmarkError `cannot-write`.
 */
export async function writeBench(out: string, result: BenchResult): Promise<readonly string[]> {
  const paths = benchPaths(out);
  const summary = summariseBench(result);
  const write = (path: string, text: string): Promise<void> =>
    writeFileAtomic(path, Buffer.from(text), { force: true });
  await write(paths.result, `${JSON.stringify(result, undefined, 1)}\n`);
  await write(paths.report, await renderReport(result));
  await write(paths.cells, benchCsv(result));
  await write(paths.table, benchLatex(result, summary));
  return [...summary.headline, ...summary.warnings.map((warning) => `Warning: ${warning}`)];
}

/** "3/7" */
export function parseShard(text: string): { readonly index: number; readonly count: number } {
  const [index = 0, of = 0] = text.split("/").map(Number);
  if (index >= 1 && index <= of) return { index, count: of };
  throw new WildmarkError("usage", `--shard ${text}: expected a part and their number, such as 1/3, 2/3, 3/3.`);
}

/** What became of the cells, in numbers. */
export function tally(cells: readonly BenchCell[]) {
  const of = (status: BenchCell["status"]): number => cells.filter((cell) => cell.status === status).length;
  return {
    cells: cells.length,
    done: of("done"),
    failed: of("failed"),
    skipped: of("skipped"),
    missing: of("missing"),
  };
}

/** Why something failed, each reason once, with how often it occurs; "" where nothing did. */
export function failuresText(reasons: readonly string[]): string {
  const lines = [...new Set(reasons)].map((reason) => {
    const times = reasons.filter((other) => other === reason).length;
    return times === 1 ? reason : `${reason} (${times} cells)`;
  });
  return lines.length === 0 ? "" : `Failed:\n${indented(lines.join("\n"))}`;
}

/** "120 cells: 96 done, 1 failed, 23 missing" */
export function tallyText(cells: readonly BenchCell[]): string {
  const { cells: all, ...parts } = tally(cells);
  const named = Object.entries(parts).filter(([, number]) => number > 0);
  return `${count(all)} cells: ${named.map(([name, number]) => `${count(number)} ${name}`).join(", ")}`;
}

/** For each mark and remover: in how many of the cells at each budget the mark was removed, and at what price. */
export function outcomeTable({ marks, removers, budgets, cells }: BenchResult): string {
  const rows = marks.flatMap(({ name: mark }, m) =>
    removers.map(({ name: remover, ignoresModel }, r) => {
      const squares = budgets.map((fraction) => {
        const all = cells.filter((cell) => cell.mark === m && cell.remover === r && cell.fraction === fraction);
        return square(all);
      });
      return [mark, ignoresModel ? `${remover} (yardstick)` : remover, ...squares];
    }),
  );
  const header = ["mark", "remover", ...budgets.map(exactPercent)];
  return table(rows, header);
}

/** "removed 2/3, 4.0 %, −0.61": runs that removed it, mean retention, mean change of accuracy in points. */
function square(cells: readonly BenchCell[]): string {
  const done = cells.filter((cell) => cell.status === "done");
  const [first] = cells;
  if (done.length === 0) return first?.status ?? "";
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const removed = done.filter(({ outcome }) => outcome === "removed").length;
  const retention = percent(mean(done.map(({ measured }) => measured.retention)));
  return `${removed}/${done.length} removed, ${retention}, ${points(-mean(done.map(({ accuracyDrop }) => accuracyDrop)))}`;
}
