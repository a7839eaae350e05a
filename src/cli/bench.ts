/** @file What the commands of a bench share: its file and data, its folder, what is written there. */

import { stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { readFileBounded, writeFileAtomic } from "../core/files.js";
import { parseBenchFile } from "../experiments/bench-file.js";
import type { BenchCell, BenchResult } from "../experiments/bench-result.js";
import { type BenchSpec, benchSpec } from "../experiments/bench-spec.js";
import { summariseBench } from "../report/bench/summary.js";
import { benchCsv, benchLatex } from "../report/bench/tables.js";
import { renderReport } from "../report/render.js";
import { abstractFor, type DataCall, dataFlags, loadChosen, unrelatedFor } from "./data.js";
import { count, percent, points, table } from "./output.js";

/** More than any list of marks and removers takes. */
const LARGEST_FILE = 2 ** 20;

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
export interface OpenBench {
  readonly spec: BenchSpec;
  readonly out: string;
  /** Of the spec's file. */
  readonly text: string;
}

/**
 * Reads the bench that a path means: that of its spec, or of a folder where one was run.
 *
 * @throws WildmarkError `usage` that names every mistake of the spec; `bad-file`; as loading its data does.
 */
export async function openBench(
  path: string,
  flags: { readonly out?: string | undefined; readonly dataDir?: string | undefined },
  call: DataCall,
): Promise<OpenBench> {
  const { dataDir } = flags;
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const file = isFolder ? join(path, KEPT_SPEC) : path;
  const out = flags.out ?? (isFolder ? path : `wildmark-bench-${basename(path, extname(path))}`);
  const bytes = await readFileBounded(file, { what: "the spec of a bench", maxBytes: LARGEST_FILE });
  const text = Buffer.from(bytes).toString("utf8");
  const parsed = parseBenchFile(text, file);
  const { name, seed: dataSeed, ...sizes } = parsed.dataset;
  const dataset = await loadChosen({ dataset: name, dataDir, dataSeed, ...sizes }, call);
  const wants = (test: (mark: BenchSpec["marks"][number]["chosen"]) => boolean): boolean =>
    parsed.marks.some(({ chosen }) => test(chosen));
  const { unrelated } = parsed;
  const from = { dataset: name, dataDir };
  const spec = benchSpec(parsed, {
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
  return { spec, out, text };
}

/** Keeps the spec in the bench's folder, so that the folder can be asked without it. */
export async function keepSpec({ out, text }: OpenBench): Promise<void> {
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
  const header = ["mark", "remover", ...budgets.map((fraction) => `${Number((100 * fraction).toFixed(6))} %`)];
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
