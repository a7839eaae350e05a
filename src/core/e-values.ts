/**
 * @file Combining e-values: over independent sources, over dependent ones, and over many suspects.
 *
 * An e-value is a non-negative number with mean at most 1 under its null hypothesis: E at a fixed number of steps, or
 * where asking stopped by a rule that looks only backwards (`logE`, `stoppedLogE`), never the largest E on the way. All
 * are natural logarithms. (V. Vovk, R. Wang, "E-values: calibration, combination and applications", Annals of
 * Statistics 49, 2021.)
 */

import { logMeanExp } from "./e-process.js";

/**
 * log of the product: one e-value from several that are independent, such as keys made from independent seeds. The
 * combined null hypothesis is that all of the single ones hold.
 *
 * It also holds for e-values that follow each other, each with mean at most 1 whatever the ones before were. Shared
 * triggers, shared bases, or a key chosen by another's answers break it: take the mean then.
 *
 * @returns 0 (E = 1) without any.
 */
export function logProductOfEValues(logEs: readonly number[]): number {
  requireLogEs(logEs);
  return logEs.reduce((sum, logE) => sum + logE, 0);
}

/**
 * log of the mean: one e-value from several, whatever their dependence. n keys of which one is shown pay a factor n at
 * most, as with Bonferroni; more that are shown pay less.
 *
 * @returns 0 (E = 1) without any.
 */
export function logMeanOfEValues(logEs: readonly number[]): number {
  requireLogEs(logEs);
  return logEs.length === 0 ? 0 : logMeanExp(logEs);
}

/**
 * The p-value of an e-value, min(1, 1/E), by Markov's inequality; as a logarithm, ≤ 0. For one process looked at all
 * the way, `anytimeLogP` is smaller and as valid.
 */
export function logPOfEValue(logE: number): number {
  requireLogEs([logE]);
  return 0 - Math.max(0, logE);
}

/**
 * e-BH: which of many null hypotheses to reject, so that the expected share of false ones among them stays at or below
 * α, whatever the dependence (R. Wang, A. Ramdas, "False discovery rate control with e-values", JRSS B 84, 2022).
 *
 * Rejects the k largest, k being the largest number for which the k-th largest e-value is at least m/(αk).
 *
 * @param logEs one for each hypothesis, m in all: every suspect that was asked, not only those that look guilty.
 * @param alpha in (0, 1]: the false discovery rate allowed.
 * @returns the positions of the rejected ones, ascending. Equal e-values stand or fall together.
 */
export function eBenjaminiHochberg(logEs: readonly number[], alpha: number): readonly number[] {
  requireLogEs(logEs);
  if (!(alpha > 0 && alpha <= 1)) throw new RangeError(`a level must lie in (0, 1], got ${alpha}`);
  const sorted = [...logEs].sort((a, b) => b - a);
  const reaches = (k: number): number => Math.log(logEs.length / (alpha * k));
  const rank = sorted.findLastIndex((logE, i) => logE >= reaches(i + 1));
  if (rank < 0) return [];
  const least = sorted[rank] ?? Infinity;
  return logEs.flatMap((logE, i) => (logE >= least ? [i] : []));
}

function requireLogEs(logEs: readonly number[]): void {
  for (const logE of logEs) {
    if (Number.isNaN(logE) || logE === Infinity) {
      throw new RangeError(`the logarithm of an e-value must be finite, or -Infinity for 0, got ${logE}`);
    }
  }
}
