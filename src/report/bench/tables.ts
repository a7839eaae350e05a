/** @file The bench as tables for other programs: every cell as CSV, the means as LaTeX. */

import type { BenchCell, BenchResult } from "../../experiments/bench-result.js";
import { exactNumber, wholeNumber } from "../format.js";
import { type BenchSummary, squareAt } from "./summary.js";

const COLUMNS = [
  "mark",
  "remover",
  "method",
  "fraction",
  "seed",
  "status",
  "outcome",
  "retention",
  "held_out_retention",
  "accuracy",
  "accuracy_drop",
  "p_value",
  "decided_by",
  "at_chance",
  "labelled_images",
  "unlabelled_images",
  "seconds",
  "reactivated_retention",
  "reactivated_accuracy",
  "reactivated_p_value",
  "reason",
] as const;

type Row = Readonly<Partial<Record<(typeof COLUMNS)[number], string | number | boolean>>>;

/** One line a cell, in the order of the document, with a header (RFC 4180: commas, CRLF). Shares are not in percent. */
export function benchCsv({ marks, removers, cells }: BenchResult): string {
  const lines = cells.map((cell): Row => {
    const { fraction, seed, status } = cell;
    const remover = removers[cell.remover];
    const which = { mark: marks[cell.mark]?.name ?? "", remover: remover?.name ?? "", method: remover?.method ?? "" };
    return { ...which, fraction, seed, status, ...found(cell) };
  });
  const text = lines.map((row) => COLUMNS.map((column) => field(row[column])).join(","));
  return [COLUMNS.join(","), ...text].map((line) => `${line}\r\n`).join("");
}

function found(cell: BenchCell): Row {
  switch (cell.status) {
    case "missing":
      return {};
    case "skipped":
    case "failed":
      return { reason: cell.reason };
    case "done": {
      const { measured, judgement, images, reactivated } = cell;
      return {
        outcome: cell.outcome,
        retention: measured.retention,
        ...(measured.heldOutRetention === undefined ? {} : { held_out_retention: measured.heldOutRetention }),
        accuracy: measured.accuracy,
        accuracy_drop: cell.accuracyDrop,
        p_value: judgement.pValue,
        decided_by: judgement.decidedBy,
        at_chance: cell.atChance,
        labelled_images: images.labelled,
        unlabelled_images: images.unlabelled,
        seconds: cell.seconds,
        ...(reactivated === undefined
          ? {}
          : {
              reactivated_retention: reactivated.measured.retention,
              reactivated_accuracy: reactivated.measured.accuracy,
              reactivated_p_value: reactivated.judgement.pValue,
            }),
      };
    }
  }
}

function field(value: string | number | boolean | undefined): string {
  const text = value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A `booktabs` table of one budget: retention in percent, in brackets the accuracy drop in points, means over seeds;
 * bold where the mark was removed at an acceptable price in every seed.
 */
export function benchLatex(bench: BenchResult, summary: BenchSummary, fraction = summary.focus): string {
  const { marks, removers } = bench;
  const cell = (mark: number, remover: number): string => {
    const square = squareAt(summary, mark, remover, fraction);
    if (square?.retention === undefined || square.drop === undefined) return "--";
    const text = `${wholeNumber(square.retention.mean)} (${(100 * square.drop.mean).toFixed(1)})`;
    return square.removed === square.runs.length ? `\\textbf{${text}}` : text;
  };
  const rows = removers.map(({ name }, remover) =>
    [escapeLatex(name), ...marks.map((_, mark) => cell(mark, remover))].join(" & "),
  );
  return [
    `% ${exactNumber(fraction)} % of the training data; retention in percent (accuracy drop in points), means over ${bench.seeds.length} seeds`,
    `\\begin{tabular}{l${"r".repeat(marks.length)}}`,
    "\\toprule",
    `${["remover", ...marks.map(({ name }) => escapeLatex(name))].join(" & ")} \\\\`,
    "\\midrule",
    ...rows.map((row) => `${row} \\\\`),
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

const LATEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
};

/** Names are people's: nothing in them may be a command. */
function escapeLatex(text: string): string {
  return text.replaceAll(/[\\~^]|[&%$#_{}]/g, (character) => LATEX[character] ?? `\\${character}`);
}
