/**
 * @file Two older ways to look at binary trials more than once: Wald's sequential test, and exact tests at looks fixed
 * in advance.
 *
 * The e-processes of e-process.ts need neither an alternative nor a plan of looks. Wald's test has a lower border
 * besides: it says when asking on is useless, which saves queries. Fixed looks keep the exact test's power where
 * answers come in batches.
 */

import { logBinomialTail } from "./statistics.js";

export interface SprtOptions {
  /** Null chance of a match, in (0, 1): of all trials, or one for each. */
  readonly p0: number | readonly number[];
  /** Chance of a match under the alternative, in (0, 1). Trials whose null chance is not below it say nothing. */
  readonly p1: number;
  /** Chance allowed of crossing the upper border under the null hypothesis, in (0, 1). */
  readonly alpha: number;
  /** Chance allowed of crossing the lower border under the alternative, in (0, 1), with α + β < 1. */
  readonly beta: number;
}

export interface Sprt {
  /**
   * The border that was crossed first: "upper" rejects the null hypothesis, "lower" gives up on it; undefined: go on.
   */
  readonly crossed: "upper" | "lower" | undefined;
  /** After how many trials, 1 … n; the number of trials where no border was crossed. */
  readonly steps: number;
  /** log likelihood ratio after those steps. It is an e-value's logarithm too. */
  readonly logRatio: number;
  /** The borders, as log likelihood ratios. */
  readonly upper: number;
  readonly lower: number;
  /**
   * log of the anytime-valid p-value min(1, 1 / largest ratio on the way): what holds exactly, where Wald's upper
   * border holds at α/(1 − β).
   */
  readonly logP: number;
}

/**
 * The sequential probability ratio test of matches. (A. Wald, Annals of Mathematical Statistics 16, 1945.)
 *
 * The ratio gains log(p₁/p₀) with a match and log((1 − p₁)/(1 − p₀)) with a miss. Borders log((1 − β)/α) and log(β/(1 −
 * α)). Trials after the border are not looked at.
 *
 * Wald's borders keep both errors nearly: false alarms at or below α/(1 − β), wrong endings at or below β/(1 − α), and
 * their sum at or below α + β. Where α itself must hold, ask for `logP ≤ log α`. A chance below p₀ makes false alarms
 * rarer, one between p₀ and p₁ ends either way.
 *
 * @param matched the trials in the order in which they were made.
 */
export function sequentialRatioTest(matched: readonly boolean[], options: SprtOptions): Sprt {
  const { p0, p1, alpha, beta } = options;
  requireOpenShares({ p1, alpha, beta });
  if (alpha + beta >= 1) throw new RangeError(`Wald's borders need α + β < 1, got ${alpha} + ${beta}`);
  if (typeof p0 !== "number" && p0.length !== matched.length) {
    throw new RangeError(`${matched.length} trials need as many null chances, got ${p0.length}`);
  }
  const upper = Math.log((1 - beta) / alpha);
  const lower = Math.log(beta / (1 - alpha));
  let logRatio = 0;
  let largest = 0;
  let steps = 0;
  let crossed: Sprt["crossed"];
  for (const isMatch of matched) {
    const chance = typeof p0 === "number" ? p0 : (p0[steps] ?? Number.NaN);
    requireOpenShares({ p0: chance });
    if (chance < p1) logRatio += isMatch ? Math.log(p1 / chance) : Math.log((1 - p1) / (1 - chance));
    steps += 1;
    largest = Math.max(largest, logRatio);
    crossed = logRatio >= upper ? "upper" : logRatio <= lower ? "lower" : undefined;
    if (crossed !== undefined) break;
  }
  return { crossed, steps, logRatio, upper, lower, logP: 0 - largest };
}

/** The level of look j = 1, 2, …: 6α/(π²j²). Over all looks, however many, they add up to α (Euler, 1735). */
export function lookLevel(look: number, alpha: number): number {
  if (!Number.isSafeInteger(look) || look < 1) throw new RangeError(`looks count from 1, got ${look}`);
  requireOpenShares({ alpha });
  return (6 * alpha) / (Math.PI * look) ** 2;
}

/** What was known at one look: all trials so far, not those since the last look. */
export interface Look {
  readonly matches: number;
  readonly trials: number;
}

export interface FixedLooks {
  /** log of each look's exact binomial p-value. */
  readonly logPs: readonly number[];
  /** The first look that reached its level, counted from 1; undefined where none did. */
  readonly rejectedAt: number | undefined;
  /**
   * log of the p-value over all looks: the smallest π²j²/6 · p, at most 1. At or below log α where a look reached its
   * level.
   */
  readonly logP: number;
}

/**
 * Exact binomial tests at looks j = 1, 2, …, look j at level 6α/(π²j²): some look rejects wrongly with probability at
 * most α (union bound), however many there are. When to look must not depend on the answers.
 *
 * @param looks in order; trials and matches never fall.
 * @param p0 null chance of every trial, in (0, 1).
 * @param alpha over all looks, in (0, 1).
 */
export function fixedLooks(looks: readonly Look[], p0: number, alpha: number): FixedLooks {
  requireOpenShares({ p0, alpha });
  looks.forEach(({ matches, trials }, i) => {
    const before = looks[i - 1] ?? { matches: 0, trials: 0 };
    const isMore = matches >= before.matches && trials - matches >= before.trials - before.matches;
    if (!(Number.isSafeInteger(matches) && Number.isSafeInteger(trials) && isMore)) {
      throw new RangeError(
        `look ${i + 1} must hold the trials of the one before, got ${matches} of ${trials} after ` +
          `${before.matches} of ${before.trials}`,
      );
    }
  });
  const logPs = looks.map(({ matches, trials }) => logBinomialTail(matches, trials, p0));
  const first = logPs.findIndex((logP, i) => logP <= Math.log(lookLevel(i + 1, alpha)));
  // π²j²/6, the price of the look
  const paid = logPs.map((logP, i) => logP + Math.log((Math.PI * (i + 1)) ** 2 / 6));
  return { logPs, rejectedAt: first < 0 ? undefined : first + 1, logP: Math.min(0, ...paid) };
}

function requireOpenShares(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!(value > 0 && value < 1)) throw new RangeError(`${name} must lie in (0, 1), got ${value}`);
  }
}
