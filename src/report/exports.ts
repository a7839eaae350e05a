/** @file The results as tables for other programs: every cell as CSV, the means as LaTeX. */

import type { AttackCell, ExperimentDocument } from "../experiments/document.js";
import { type Findings, nameOf } from "./findings/findings.js";

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

type Row = Readonly<Partial<Record<(typeof COLUMNS)[number], string | number | boolean | undefined>>>;

/** One line a cell, in the order of the document, with a header (RFC 4180: commas, CRLF). Shares are not in percent. */
export function csv({ subjects, removers, attacks }: ExperimentDocument): string {
  const lines = attacks.map((cell): Row => {
    const { fraction, seed, status } = cell;
    const { name = "", method = "" } = removers[cell.remover] ?? {};
    return { mark: nameOf(subjects, cell.subject), remover: name, method, fraction, seed, status, ...found(cell) };
  });
  const text = lines.map((row) => COLUMNS.map((column) => field(row[column])).join(","));
  return [COLUMNS.join(","), ...text].map((line) => `${line}\r\n`).join("");
}

function found(cell: AttackCell): Row {
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
        held_out_retention: measured.heldOutRetention,
        accuracy: measured.accuracy,
        accuracy_drop: cell.accuracyDrop,
        p_value: judgement.pValue,
        decided_by: judgement.decidedBy,
        at_chance: cell.atChance,
        labelled_images: images.labelled,
        unlabelled_images: images.unlabelled,
        seconds: cell.seconds,
        reactivated_retention: reactivated?.measured.retention,
        reactivated_accuracy: reactivated?.measured.accuracy,
        reactivated_p_value: reactivated?.judgement.pValue,
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
export function latex({ document, conditions, focus }: Findings, fraction = focus): string {
  const { subjects, removers, seeds } = document;
  const cell = (subject: number, remover: number): string => {
    const at = conditions.find((c) => c.subject === subject && c.remover === remover && c.fraction === fraction);
    if (at === undefined || at.runs.length === 0) return "--";
    if (at.retention === undefined || at.drop === undefined) return "--";
    const text = `${(100 * at.retention.mean).toFixed(0)} (${(100 * at.drop.mean).toFixed(1)})`;
    return at.removed === at.runs.length ? `\\textbf{${text}}` : text;
  };
  const rows = removers.map(({ name }, remover) =>
    [escapeLatex(name), ...subjects.map((_, subject) => cell(subject, remover))].join(" & "),
  );
  return [
    `% ${Number((100 * fraction).toFixed(4))} % of the training data; retention in percent (accuracy drop ` +
      `in points), means over ${seeds.length} seeds`,
    `\\begin{tabular}{l${"r".repeat(subjects.length)}}`,
    "\\toprule",
    `${["remover", ...subjects.map(({ name }) => escapeLatex(name))].join(" & ")} \\\\`,
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
