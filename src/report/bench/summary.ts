/**
 * @file What a bench's document says, in numbers and sentences: each mark against each remover, how removers rank over the
 * same cells, and which differences are more than chance. A pure function of the document.
 */

import { holm, meanRanks, type PairedTest, signedRankTest } from "../../core/comparison.js";
import { randomStream } from "../../core/random.js";
import { bootstrapInterval, mean, median } from "../../core/summary.js";
import type { BenchCell, BenchOwner, BenchResult } from "../../experiments/bench-result.js";
import { doubtful } from "../doubts.js";
import { exactPercent, list, plural } from "../format.js";

export type DoneCell = Extract<BenchCell, { readonly status: "done" }>;
export type DoneOwner = Extract<BenchOwner, { readonly status: "done" }>;

/** A mean over seeds or cells with its 95 % bootstrap interval. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** One remover against one mark with one budget, over all seeds. */
export interface Square {
  readonly mark: number;
  readonly remover: number;
  readonly fraction: number;
  /** Finished cells of seeds whose mark was shown before any attack. */
  readonly runs: readonly DoneCell[];
  /** Undefined where there are no such cells. */
  readonly retention: Estimate | undefined;
  readonly drop: Estimate | undefined;
  /** How many of `runs` removed the mark at an acceptable price, and how many at any. */
  readonly removed: number;
  readonly gone: number;
  /** Why cells are not there, each reason once. */
  readonly reasons: readonly string[];
}

/** How a remover does beside the others with one budget. */
export interface Standing {
  readonly remover: number;
  /** Mean rank over blocks, 1 is best; interval over resampled owners. */
  readonly rank: Estimate;
  /** Mean score: retention where the price is acceptable, else what the mark had before. */
  readonly score: number;
  /** Against the best-ranked one on the same cells; absent for that one itself. */
  readonly versusBest?: PairedTest & { readonly adjusted: number };
  /** Whether it cannot be told from the best-ranked one at the document's α. */
  readonly tied: boolean;
}

/** The ranking with one budget. */
export interface Ranking {
  readonly fraction: number;
  /** Marked models (mark and seed) on which all ranked removers were run. */
  readonly blocks: number;
  /** Best first. */
  readonly standings: readonly Standing[];
  /** Removers that lack cells which others have, and how many. */
  readonly unranked: readonly { readonly remover: number; readonly lacking: number }[];
}

export interface BenchSummary {
  readonly squares: readonly Square[];
  readonly rankings: readonly Ranking[];
  /** The budget that pictures with one budget show: the largest of at most 10 %, else the smallest. */
  readonly focus: number;
  readonly headline: readonly string[];
  readonly warnings: readonly string[];
}

export function summariseBench(bench: BenchResult): BenchSummary {
  const squares = squaresOf(bench);
  const rankings = bench.budgets.map((fraction) => rankingOf(bench, fraction));
  const focus = bench.budgets.filter((fraction) => fraction <= 0.1).at(-1) ?? bench.budgets[0] ?? 0;
  const ranking = rankings.find(({ fraction }) => fraction === focus);
  return {
    squares,
    rankings,
    focus,
    headline: [...markSentences(bench, squares, focus), ...rankSentence(bench, ranking)],
    warnings: warningsOf(bench),
  };
}

/** The square of a mark, a remover and a budget. */
export function squareAt(
  { squares }: Pick<BenchSummary, "squares">,
  mark: number,
  remover: number,
  fraction: number,
): Square | undefined {
  return squares.find((s) => s.mark === mark && s.remover === remover && s.fraction === fraction);
}

/**
 * What a removal is worth to an attacker, the lower the better: the retention that is left where the model kept its
 * worth. One that costs more accuracy than is acceptable has won nothing and counts as if the mark stood as before [ours].
 */
export function scoreOf(
  { measured, accuracyDrop }: DoneCell,
  { measured: before }: DoneOwner,
  acceptableDrop: number,
): number {
  return withinPrice(accuracyDrop, acceptableDrop) ? measured.retention : before.retention;
}

/** A difference of two shares carries the rounding of both. */
export function withinPrice(drop: number, acceptable: number): boolean {
  return drop <= acceptable + 1e-9;
}

/** The marked model of a cell, where its mark was shown before any attack: others have nothing to remove. */
export function shownOwners({ owners }: BenchResult): readonly DoneOwner[] {
  return owners.flatMap((owner) => (owner.status === "done" && owner.verdict.owned ? [owner] : []));
}

function squaresOf(bench: BenchResult): readonly Square[] {
  const { marks, removers, budgets, cells } = bench;
  const fair = shownOwners(bench);
  const isFair = ({ mark, seed }: BenchCell): boolean => fair.some((o) => o.mark === mark && o.seed === seed);
  return marks.flatMap((_, mark) =>
    removers.flatMap((__, remover) =>
      budgets.map((fraction): Square => {
        const here = cells.filter((c) => c.mark === mark && c.remover === remover && c.fraction === fraction);
        const runs = here.flatMap((cell) => (cell.status === "done" && isFair(cell) ? [cell] : []));
        const name = `${mark} ${remover} ${fraction}`;
        return {
          ...{ mark, remover, fraction, runs },
          retention: estimate(
            runs.map(({ measured }) => measured.retention),
            `retention ${name}`,
          ),
          drop: estimate(
            runs.map(({ accuracyDrop }) => accuracyDrop),
            `drop ${name}`,
          ),
          removed: runs.filter(({ outcome }) => outcome === "removed").length,
          gone: runs.filter(({ judgement }) => !judgement.owned).length,
          reasons: [...new Set(here.flatMap((cell) => reasonOf(cell, isFair)))],
        };
      }),
    ),
  );
}

function reasonOf(cell: BenchCell, isFair: (cell: BenchCell) => boolean): readonly string[] {
  switch (cell.status) {
    case "done":
      return isFair(cell) ? [] : ["the mark was not shown before any attack"];
    case "missing":
      return ["not computed yet"];
    case "skipped":
    case "failed":
      return [`${cell.status}: ${cell.reason}`];
  }
}

/** Over a handful of values the interval is too narrow, as every bootstrap is: `n` stands beside it. */
function estimate(values: readonly number[], name: string): Estimate | undefined {
  if (values.length === 0) return undefined;
  const [low, high] = bootstrapInterval(values, { random: randomStream(0, "bench", name), resamples: 2000 });
  return { mean: mean(values), low, high, n: values.length };
}

/**
 * Ranks on each marked model, all removers beside one another (M. Friedman, JASA 32, 1937). Marked models are resampled
 * whole for the interval, because cells of one are not independent of each other.
 */
function rankingOf(bench: BenchResult, fraction: number): Ranking {
  const { removers, cells, alpha, acceptableDrop } = bench;
  const scores = shownOwners(bench)
    .map((owner) =>
      removers.map((_, remover) => {
        const cell = cells.find(
          (c) => c.mark === owner.mark && c.seed === owner.seed && c.remover === remover && c.fraction === fraction,
        );
        return cell?.status === "done" ? scoreOf(cell, owner, acceptableDrop) : undefined;
      }),
    )
    .filter((row) => row.some((score) => score !== undefined));
  const lackingOf = (remover: number): number => scores.filter((row) => row[remover] === undefined).length;
  const all = removers.map((_, remover) => remover);
  const ranked = scores.length === 0 ? [] : all.filter((remover) => lackingOf(remover) === 0);
  const unranked = all
    .filter((remover) => !ranked.includes(remover))
    .map((remover) => ({ remover, lacking: lackingOf(remover) }));
  const rows = scores.map((row) => ranked.map((remover) => row[remover] ?? 0));
  const ranks = rows.map(meanRanks);
  const column = (table: readonly (readonly number[])[], i: number): number[] => table.map((row) => row[i] ?? 0);
  const listed = ranked
    .map((remover, i) => ({
      remover,
      rank: estimate(column(ranks, i), `rank ${fraction} ${remover}`) ?? { mean: 0, low: 0, high: 0, n: 0 },
      scores: column(rows, i),
    }))
    .sort((a, b) => a.rank.mean - b.rank.mean || a.remover - b.remover);
  const [best, ...others] = listed;
  if (best === undefined) return { fraction, blocks: 0, standings: [], unranked };
  const tests = others.map((other) => signedRankTest(other.scores.map((score, i) => score - (best.scores[i] ?? 0))));
  const adjusted = holm(tests.map(({ pValue }) => pValue));
  const standings: Standing[] = listed.map(({ remover, rank, scores: own }, i) => {
    const test = tests[i - 1];
    const score = mean(own);
    if (test === undefined) return { remover, rank, score, tied: true };
    const p = adjusted[i - 1] ?? 1;
    return { remover, rank, score, versusBest: { ...test, adjusted: p }, tied: p > alpha };
  });
  return { fraction, blocks: rows.length, standings, unranked };
}

/** For each mark: to how many of the attacks it falls. Controls that ignore the model are no attacks. */
function markSentences(
  { marks, removers }: BenchResult,
  squares: readonly Square[],
  fraction: number,
): readonly string[] {
  const attacks = removers.flatMap(({ ignoresModel }, i) => (ignoresModel ? [] : [i]));
  const fates = marks.map(({ name }, mark) => {
    const tried = squares.filter(
      (s) => s.mark === mark && s.fraction === fraction && attacks.includes(s.remover) && s.runs.length > 0,
    );
    const falls = tried.filter(({ removed, runs }) => removed === runs.length).length;
    const sometimes = tried.filter(({ removed, runs }) => removed > 0 && removed < runs.length).length;
    return { name, tried: tried.length, falls, sometimes };
  });
  const tested = fates.filter(({ tried }) => tried > 0);
  if (tested.length === 0) return ["Nothing can be said yet: no attack on a mark that was shown has been computed."];
  const standing = tested.filter(({ falls, sometimes }) => falls + sometimes === 0);
  const falling = tested.filter(({ falls, sometimes }) => falls + sometimes > 0);
  const data = `With ${exactPercent(fraction)} of the training data`;
  const fate = ({ name, tried, falls, sometimes }: (typeof fates)[number]): string =>
    `${name} to ${falls} of ${tried}${sometimes > 0 ? ` (and sometimes to ${sometimes} more)` : ""}`;
  return [
    ...(falling.length > 0 ? [`${data} marks fall to so many of the attacks: ${list(falling.map(fate))}.`] : []),
    ...(standing.length > 0
      ? [`${falling.length > 0 ? "No attack" : `${data} no attack`} removes ${list(standing.map(({ name }) => name))}.`]
      : []),
  ];
}

function rankSentence({ removers }: BenchResult, ranking: Ranking | undefined): readonly string[] {
  const [best, ...others] = ranking?.standings ?? [];
  if (ranking === undefined || best === undefined || others.length === 0) return [];
  const nameOf = ({ remover }: Standing): string => removers[remover]?.name ?? "";
  const tied = others.filter((standing) => standing.tied);
  const beside =
    tied.length === 0
      ? "and is ahead of all others by more than chance"
      : `and cannot be told from ${list(tied.map(nameOf))}`;
  return [
    `Over ${plural(ranking.blocks, "marked model")} ${nameOf(best)} ranks first (mean rank ${best.rank.mean.toFixed(1)} of ${ranking.standings.length}) ${beside}.`,
  ];
}

function warningsOf(bench: BenchResult): readonly string[] {
  const { marks, removers, cells, owners, seeds, complete } = bench;
  const of = (status: BenchCell["status"]): number => cells.filter((cell) => cell.status === status).length;
  const unshown = owners.filter((owner) => owner.status === "done" && !owner.verdict.owned);
  const names = (items: readonly { readonly mark: number }[]): string =>
    list([...new Set(items.map(({ mark }) => marks[mark]?.name ?? ""))]);
  const controls = removers.flatMap(({ ignoresModel }, i) => (ignoresModel ? [i] : []));
  const unsound = cells.filter(
    (cell) => cell.status === "done" && controls.includes(cell.remover) && cell.judgement.owned,
  );
  return [
    ...doubtful(bench),
    ...(complete ? [] : [`Incomplete: ${count(of("missing"), cells.length)} cells are not computed yet.`]),
    ...(of("failed") > 0 ? [`${count(of("failed"), cells.length)} cells failed; the reasons stand in the table.`] : []),
    ...(unshown.length > 0
      ? [
          `${plural(unshown.length, "marked model")} (${names(unshown)}) did not show the mark before any attack and ${unshown.length === 1 ? "is" : "are"} left out of all comparisons.`,
        ]
      : []),
    ...(unsound.length > 0
      ? [
          `${names(unsound)}: the key is shown on ${plural(unsound.length, "model")} trained from scratch, which never saw it. What such a key shows proves nothing.`,
        ]
      : []),
    ...(seeds.length < 5
      ? [`${plural(seeds.length, "seed")}: too few to tell how much results vary; intervals are too narrow.`]
      : []),
  ];
}

function count(n: number, of: number): string {
  return `${n} of ${of}`;
}

/** What a remover achieves, what it costs and whether its work lasts, over all fair cells with one budget. */
export interface Costs {
  /** From how many of the marked models it removed the mark at an acceptable price. */
  readonly removed: number;
  readonly tried: number;
  readonly labelled: number;
  readonly unlabelled: number;
  /** Median time of the method, in seconds. */
  readonly seconds: number;
  readonly drop: number;
  /** Among models on which the mark was not shown any more: how many show it again after a little clean tuning. */
  readonly returned: number;
  readonly of: number;
}

export function costsOf({ squares }: Pick<BenchSummary, "squares">, remover: number, fraction: number) {
  const own = squares.filter((s) => s.remover === remover && s.fraction === fraction);
  const runs = own.flatMap((s) => s.runs);
  const [first] = runs;
  if (first === undefined) return undefined;
  const gone = runs.filter((run) => !run.judgement.owned && run.reactivated !== undefined);
  const costs: Costs = {
    removed: own.reduce((sum, square) => sum + square.removed, 0),
    tried: runs.length,
    ...first.images,
    seconds: median(runs.map(({ seconds }) => seconds)),
    drop: mean(runs.map(({ accuracyDrop }) => accuracyDrop)),
    returned: gone.filter(({ reactivated }) => reactivated?.judgement.owned === true).length,
    of: gone.length,
  };
  return costs;
}
