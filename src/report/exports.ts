/** @file The results as tables for other programs: every cell as CSV, the means as LaTeX. */

import type { AttackCell, ExperimentDocument } from "../experiments/document.js";
import { type Findings, nameOf } from "./findings/findings.js";

/** One line a cell, in the order of the document, with a header (RFC 4180: commas, CRLF). Shares are not in percent. */
export function csv(document: ExperimentDocument): string {
  const rows = document.attacks.map((cell) => rowOf(document, cell));
  const header = Object.keys(rows[0] ?? rowOf(document, NO_CELL));
  return [header, ...rows.map((row) => Object.values(row).map(field))].map((row) => `${row.join(",")}\r\n`).join("");
}

/** What the header of a document without cells is told from. */
const NO_CELL: AttackCell = { status: "missing", subject: 0, remover: 0, fraction: 0, seed: 0 };

/** What stands under each heading, in their order. */
function rowOf({ subjects, removers }: ExperimentDocument, cell: AttackCell) {
  const { fraction, seed, status } = cell;
  const { name, method } = removers[cell.remover] ?? {};
  const done = status === "done" ? cell : undefined;
  return {
    ...{ mark: nameOf(subjects, cell.subject), remover: name, method, fraction, seed, status },
    outcome: done?.outcome,
    retention: done?.measured.retention,
    held_out_retention: done?.measured.heldOutRetention,
    accuracy: done?.measured.accuracy,
    accuracy_drop: done?.accuracyDrop,
    p_value: done?.judgement.pValue,
    decided_by: done?.judgement.decidedBy,
    at_chance: done?.atChance,
    labelled_images: done?.images.labelled,
    unlabelled_images: done?.images.unlabelled,
    seconds: done?.seconds,
    reactivated_retention: done?.reactivated?.measured.retention,
    reactivated_accuracy: done?.reactivated?.measured.accuracy,
    reactivated_p_value: done?.reactivated?.judgement.pValue,
    reason: status === "skipped" || status === "failed" ? cell.reason : undefined,
  };
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
