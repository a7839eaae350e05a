/** @file How removers do beside one another over the same marked models, and which differences are more than chance. */

import { holm, meanRanks, type PairedTest, signedRankTest } from "../../core/comparison.js";
import { mean } from "../../core/summary.js";
import type { DoneAttack, ExperimentDocument } from "../../experiments/document.js";
import { withinPrice } from "../../experiments/judgement.js";
import type { Condition } from "./conditions.js";
import { type Estimate, estimate } from "./estimate.js";

/** How a remover does beside the others with one budget. */
export interface Standing {
  readonly remover: number;
  /** Mean rank over blocks, 1 is best; interval over resampled marked models. */
  readonly rank: Estimate;
  /** Mean score: retention if the price is acceptable, else what the mark had before. */
  readonly score: number;
  /** Against the best-ranked one on the same cells; absent for that one itself. */
  readonly versusBest?: PairedTest & { readonly adjusted: number };
  /** Whether it cannot be told from the best-ranked one at the document's α. */
  readonly tied: boolean;
}

/** The ranking with one budget. */
export interface Ranking {
  readonly fraction: number;
  /** Marked models (subject and seed) on which all ranked removers were run. */
  readonly blocks: number;
  /** Best first. */
  readonly standings: readonly Standing[];
  /** Removers that lack cells which others have, and how many. */
  readonly unranked: readonly { readonly remover: number; readonly lacking: number }[];
}

/**
 * Ranks on each marked model, all removers beside one another (M. Friedman, JASA 32, 1937). Marked models are resampled
 * whole for the interval, because cells of one are not independent of each other.
 *
 * @param conditions those with one budget.
 */
export function rankingOf(
  { removers, marked, seeds, decision }: ExperimentDocument,
  conditions: readonly Condition[],
  fraction: number,
): Ranking {
  const scoresOf = new Map<string, Map<number, number>>();
  for (const { subject, remover, runs } of conditions) {
    for (const run of runs) {
      const block = `${subject} ${run.seed}`;
      const scores = scoresOf.get(block) ?? new Map<number, number>();
      scores.set(remover, scoreOf(run, marked, decision));
      scoresOf.set(block, scores);
    }
  }
  const models = marked.flatMap(({ subject, seed }) => (seed === null ? seeds : [seed]).map((s) => `${subject} ${s}`));
  const blocks = models.flatMap((model) => scoresOf.get(model) ?? []);
  const all = removers.map((_, remover) => remover);
  const lackingOf = (remover: number): number => blocks.filter((scores) => !scores.has(remover)).length;
  const ranked = blocks.length === 0 ? [] : all.filter((remover) => lackingOf(remover) === 0);
  const unranked = all
    .filter((remover) => !ranked.includes(remover))
    .map((remover) => ({ remover, lacking: lackingOf(remover) }));
  const rows = blocks.map((scores) => ranked.map((remover) => scores.get(remover) ?? 0));
  return {
    fraction,
    blocks: ranked.length === 0 ? 0 : rows.length,
    standings: standingsOf(rows, ranked, fraction, decision.alpha),
    unranked,
  };
}

/** @param rows scores on each marked model, a column for each of `ranked`. */
function standingsOf(
  rows: readonly (readonly number[])[],
  ranked: readonly number[],
  fraction: number,
  alpha: number,
): readonly Standing[] {
  const ranks = rows.map(meanRanks);
  const column = (table: readonly (readonly number[])[], i: number): number[] => table.map((row) => row[i] ?? 0);
  const listed = ranked
    .flatMap((remover, i) => {
      const rank = estimate(column(ranks, i), `rank ${fraction} ${remover}`);
      return rank === undefined ? [] : [{ remover, rank, scores: column(rows, i) }];
    })
    .sort((a, b) => a.rank.mean - b.rank.mean || a.remover - b.remover);
  const [best, ...others] = listed;
  if (best === undefined) return [];
  const tests = others.map(({ scores }) => signedRankTest(scores.map((score, i) => score - (best.scores[i] ?? 0))));
  const adjusted = holm(tests.map(({ pValue }) => pValue));
  return listed.map(({ remover, rank, scores }, i): Standing => {
    const test = tests[i - 1];
    const p = adjusted[i - 1] ?? 1;
    const common = { remover, rank, score: mean(scores) };
    if (test === undefined) return { ...common, tied: true };
    return { ...common, versusBest: { ...test, adjusted: p }, tied: p > alpha };
  });
}

/**
 * What a removal is worth to an attacker, the lower the better: the retention that is left if the model kept its worth.
 * One that costs more accuracy than is acceptable has won nothing and counts as if the mark stood as before [ours].
 */
function scoreOf(
  { subject, seed, measured, accuracyDrop }: DoneAttack,
  marked: ExperimentDocument["marked"],
  decision: ExperimentDocument["decision"],
): number {
  if (withinPrice(accuracyDrop, decision)) return measured.retention;
  const before = marked.find((cell) => cell.subject === subject && (cell.seed === seed || cell.seed === null));
  return before?.status === "done" ? before.measured.retention : 1;
}
