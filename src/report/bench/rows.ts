/** @file The bench as rows that figures are drawn from. */

import { mean } from "../../core/summary.js";
import type { BenchResult } from "../../experiments/bench-result.js";
import type { ReactivationRow } from "../figures/reactivation.js";
import type { ConditionRow, PriceRow, Subject } from "../figures/records.js";
import { type BenchSummary, costsOf, type Square } from "./summary.js";

/** Every mark after every remover with every budget. */
export function conditionRows(bench: BenchResult, { squares }: BenchSummary): readonly ConditionRow[] {
  return squares.map((square) => {
    const { fraction, retention, removed, gone, runs } = square;
    const tried = runs.length > 0;
    const outcome = tried && removed === runs.length ? "removed" : tried && gone === runs.length ? "dear" : "other";
    return {
      ...subjectOf(bench, square),
      budget: fraction,
      outcome,
      ...(retention === undefined ? {} : { retention }),
    };
  });
}

/** Means over seeds with the budget of the pictures that show one. */
export function priceRows(bench: BenchResult, { squares, focus }: BenchSummary): readonly PriceRow[] {
  return squares.flatMap((square) => {
    const { fraction, drop, retention } = square;
    if (fraction !== focus || drop === undefined || retention === undefined) return [];
    return [{ ...subjectOf(bench, square), drop: drop.mean, retention: retention.mean }];
  });
}

/** The same budget: what came back. */
export function reactivationRows(bench: BenchResult, { squares, focus }: BenchSummary): readonly ReactivationRow[] {
  return squares.flatMap((square) => {
    const runs = square.runs.flatMap(({ measured, reactivated }) =>
      reactivated === undefined ? [] : [{ from: measured.retention, to: reactivated.measured.retention }],
    );
    if (square.fraction !== focus || runs.length === 0) return [];
    const [removed, reactivated] = [mean(runs.map(({ from }) => from)), mean(runs.map(({ to }) => to))];
    return [{ ...subjectOf(bench, square), removed, reactivated }];
  });
}

function subjectOf({ marks, removers }: BenchResult, { mark, remover }: Square): Subject {
  const { name = "", control: baseline = false } = removers[remover] ?? {};
  return { mark: marks[mark]?.name ?? "", remover: name, baseline };
}

/** Removers that remove most first, over all budgets; the cheaper of equals. With what they do with each budget. */
export function reach({ removers, budgets }: BenchResult, summary: BenchSummary) {
  return removers
    .map(({ name }, remover) => ({ name, cells: budgets.map((fraction) => costsOf(summary, remover, fraction)) }))
    .map((row) => ({
      ...row,
      removed: row.cells.reduce((sum, cell) => sum + (cell?.removed ?? 0), 0),
      drop: row.cells.reduce((sum, cell) => sum + (cell?.drop ?? 0), 0),
    }))
    .toSorted((a, b) => b.removed - a.removed || a.drop - b.drop);
}
