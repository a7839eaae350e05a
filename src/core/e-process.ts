/**
 * @file Evidence that may stop early: e-processes on matches, on pairs and on differences.
 *
 * An e-process E₁, E₂, … is non-negative and has mean at most 1 under the null hypothesis at every time, chosen in
 * advance or while looking. So P(E ever reaches 1/α) ≤ α (Ville's inequality): whoever asks a suspect may look after
 * each answer and stop when it is enough. The price is some power against an exact test whose number of trials was
 * fixed. (J. Ville, *Étude critique de la notion de collectif*, 1939; A. Ramdas et al., "Game-theoretic statistics and
 * safe anytime-valid inference", Statistical Science 38, 2023, arXiv 2210.01948.)
 *
 * All of it is in natural logarithms: a full match of 10,000 triggers against 1 in 10 is E = e^23,000.
 *
 * Two things must hold outside this file. The order of the trials is fixed before the first answer; and a missing
 * answer counts as a miss, unless what went missing cannot depend on the trial.
 */

import { logBinomialDensity } from "./special.js";
import { logBinomialLowerTail } from "./statistics.js";

/** An e-process after each of its steps. */
export interface EProcess {
  /** log E after each step, as many as there were trials. */
  readonly path: readonly number[];
  /** log E after the last step, 0 without any: the e-value to combine with others, see e-values.ts. */
  readonly logE: number;
  /**
   * The largest log E so far, at least 0 because evidence starts at E = 1. It gives the p-value. It is no e-value: its
   * mean may exceed 1, so it must not be multiplied or averaged.
   */
  readonly logMax: number;
}

/** Binary trials against a chance, with the number of those that counted. */
export interface PairedEProcess extends EProcess {
  /** Pairs where only the first succeeded, and where only the second did. */
  readonly wins: number;
  readonly losses: number;
}

/** A pair: did the marked trial match, did its placebo? */
export interface Pair {
  readonly mark: boolean;
  readonly placebo: boolean;
}

/**
 * No bet expects more than this share of matches, so that one miss never ends the process: it costs 1000 (1 − p₀) at
 * most.
 */
const MOST_EXPECTED = 0.999;

/**
 * The logarithm of one step's factor of the betting process: log(1 + λ(m − p₀)), λ chosen from the steps before.
 *
 * λ = (q − p₀) / (p₀(1 − p₀)) makes the factor q/p₀ for a match and (1 − q)/(1 − p₀) for a miss: the likelihood ratio
 * of the share q expected from the steps before, (matches + ½) / (steps + 1) (Krichevsky and Trofimov, 1981), clipped
 * to [p₀, 0.999]. As q ≥ p₀ the factor's mean is at most 1 for every true chance p ≤ p₀, not only at p₀.
 *
 * @param matches matches among the `steps` before this one.
 * @param p0 null chance of this step, in (0, 1]: may differ from step to step, if it was fixed before the answer.
 */
export function logBet(matches: number, steps: number, isMatch: boolean, p0: number): number {
  requireChance(p0);
  if (!(Number.isSafeInteger(matches) && Number.isSafeInteger(steps) && matches >= 0 && matches <= steps)) {
    throw new RangeError(`a bet needs 0 ≤ matches ≤ steps, whole, got ${matches} of ${steps}`);
  }
  const q = Math.max(p0, Math.min(MOST_EXPECTED, (matches + 0.5) / (steps + 1)));
  // Also where p0 = 1: a match is certain then, and nothing is staked.
  if (q === p0) return 0;
  return isMatch ? Math.log(q / p0) : Math.log((1 - q) / (1 - p0));
}

/**
 * The betting e-process of matches against their null chance: Π (1 + λₛ(mₛ − p₀,ₛ)), see `logBet`.
 *
 * Null hypothesis: whatever happened before, trial s matches with probability at most p₀,ₛ.
 *
 * @param matched the trials in the order in which they were made.
 * @param p0 null chance in (0, 1], of all trials or one for each.
 */
export function bettingEProcess(matched: readonly boolean[], p0: number | readonly number[]): EProcess {
  if (typeof p0 !== "number" && p0.length !== matched.length) {
    throw new RangeError(`${matched.length} trials need as many null chances, got ${p0.length}`);
  }
  let matches = 0;
  let logE = 0;
  return eProcess(
    matched.map((isMatch, step) => {
      logE += logBet(matches, step, isMatch, typeof p0 === "number" ? p0 : (p0[step] ?? Number.NaN));
      if (isMatch) matches += 1;
      return logE;
    }),
  );
}

/**
 * log E of the mixture: the likelihood ratio to p₀, averaged over all shares q from p₀ to 1 alike.
 *
 *     E = 1/(1 − p₀) ∫ (q/p₀)ᵏ ((1 − q)/(1 − p₀))ⁿ⁻ᵏ dq  from p₀ to 1
 *       = p₀⁻ᵏ (1 − p₀)ᵏ⁻ⁿ B(k + 1, n − k + 1) (1 − I_p₀(k + 1, n − k + 1)) / (1 − p₀)
 *
 * The prior ends at p₀, since below it the ratio tests p = p₀ alone. (H. Robbins, Annals of Mathematical Statistics 41,
 * 1970, has mixtures; the truncation makes one for p ≤ p₀.) It is computed as P(Y ≤ k) / ((n + 1) P(X = k) (1 − p₀)),
 * with X and Y binomial of n and n + 1 trials at p₀: the same number (DLMF 8.17.5), and nothing cancels.
 *
 * @param k matches, 0 … n.
 * @param n trials.
 * @param p0 null chance of every trial, in (0, 1). Where it differs between trials, take the largest, or bet.
 */
export function mixtureLogE(k: number, n: number, p0: number): number {
  if (!(p0 > 0 && p0 < 1)) throw new RangeError(`the null chance of a mixture must lie in (0, 1), got ${p0}`);
  if (!(Number.isSafeInteger(k) && Number.isSafeInteger(n) && k >= 0 && k <= n)) {
    throw new RangeError(`a mixture needs 0 ≤ k ≤ n, whole, got ${k} of ${n}`);
  }
  if (n === 0) return 0;
  const above = logBinomialLowerTail(k, n + 1, p0);
  return above - Math.log(n + 1) - logBinomialDensity(k, n, p0, 1 - p0) - Math.log1p(-p0);
}

/**
 * The mixture as an e-process: `mixtureLogE` after each trial. Same null hypothesis as the betting process, one p₀ for
 * all.
 *
 * It learns nothing and has nothing to tune, at much the same power. Time: O(n √n).
 */
export function mixtureEProcess(matched: readonly boolean[], p0: number): EProcess {
  requireChance(p0);
  let matches = 0;
  return eProcess(
    matched.map((isMatch, step) => {
      if (isMatch) matches += 1;
      return p0 === 1 ? 0 : mixtureLogE(matches, step + 1, p0);
    }),
  );
}

/**
 * The paired e-process: does the marked trial match more often than its placebo?
 *
 * Only discordant pairs count. A win (the marked one alone) multiplies by 1 + λ/2, a loss by 1 − λ/2, λ in [0, 2): the
 * betting process with p₀ = ½. Null hypothesis: whatever happened before, a discordant pair is a win with probability
 * at most ½. It is the anytime-valid form of McNemar's test.
 *
 * @param pairs in the order in which they were asked.
 * @param by "betting" or "mixture"; fixed before the first answer.
 * @returns one entry of the path for each pair; concordant ones leave E as it was.
 */
export function pairedEProcess(pairs: readonly Pair[], by: "betting" | "mixture" = "betting"): PairedEProcess {
  const discordant = pairs.filter(({ mark, placebo }) => mark !== placebo).map(({ mark }) => mark);
  const { path } = by === "betting" ? bettingEProcess(discordant, 0.5) : mixtureEProcess(discordant, 0.5);
  const wins = discordant.filter((isWin) => isWin).length;
  let seen = 0;
  const spread = pairs.map(({ mark, placebo }) => {
    if (mark !== placebo) seen += 1;
    return seen === 0 ? 0 : (path[seen - 1] ?? Number.NaN);
  });
  return { ...eProcess(spread), wins, losses: discordant.length - wins };
}

/** Stakes of the mixture over differences: the middles of 100 equal parts of [0, 1]. */
const STAKES: readonly number[] = Array.from({ length: 100 }, (_, i) => (i + 0.5) / 100);

/**
 * The e-process of differences d in [−1, 1], such as a confidence on the marked image minus that on its placebo: the
 * mean of Π (1 + λd) over 100 stakes λ = 0.005, 0.015, … 0.995.
 *
 * Null hypothesis: whatever happened before, the mean of d is at most 0; any distribution on [−1, 1]. A mean of
 * e-processes is one, so the grid is no approximation; it costs at most log 100 against its best stake. (I.
 * Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86, 2024, have the
 * product; the even grid is our choice.)
 */
export function differenceEProcess(differences: readonly number[]): EProcess {
  const logs = new Float64Array(STAKES.length);
  return eProcess(
    differences.map((difference) => {
      if (!(difference >= -1 && difference <= 1)) {
        throw new RangeError(`a difference must lie in [-1, 1], got ${difference}`);
      }
      STAKES.forEach((stake, i) => {
        logs[i] = (logs[i] ?? 0) + Math.log1p(stake * difference);
      });
      return logMeanExp(logs);
    }),
  );
}

/**
 * The logarithm of the anytime-valid p-value min(1, 1 / max E): valid at every look, however one came to stop.
 *
 * @returns a number ≤ 0.
 */
export function anytimeLogP({ logMax }: EProcess): number {
  return 0 - logMax;
}

/** The anytime-valid p-value itself; 0 where it is below 5e-324. */
export function anytimePValue(process: EProcess): number {
  return Math.exp(anytimeLogP(process));
}

/**
 * After how many steps E first reached 1/α: when asking may stop with the null hypothesis rejected at level α.
 *
 * @param alpha in (0, 1].
 * @returns 1 … the number of steps, or undefined where it never did. α = 1 is reached before the first step: 0.
 */
export function stoppingTime({ path }: EProcess, alpha: number): number | undefined {
  requireLevel(alpha);
  if (alpha === 1) return 0;
  const step = path.findIndex((logE) => logE >= -Math.log(alpha));
  return step < 0 ? undefined : step + 1;
}

/**
 * log E when asking stopped: at the step that `stoppingTime` names, or after the last one. Stopping by a rule that
 * looks only backwards keeps the mean at most 1, so that this is an e-value to combine with others, as the maximum is
 * not.
 */
export function stoppedLogE(process: EProcess, alpha: number): number {
  const step = stoppingTime(process, alpha);
  return step === undefined ? process.logE : (process.path[step - 1] ?? 0);
}

/** log of the mean of exp(logs), without leaving the logarithms; −Infinity where all are. */
export function logMeanExp(logs: ArrayLike<number> & Iterable<number>): number {
  let largest = -Infinity;
  for (const log of logs) largest = Math.max(largest, log);
  if (largest === -Infinity) return -Infinity;
  let sum = 0;
  for (const log of logs) sum += Math.exp(log - largest);
  return largest + Math.log(sum / logs.length);
}

function eProcess(path: readonly number[]): EProcess {
  return { path, logE: path.at(-1) ?? 0, logMax: path.reduce((most, logE) => Math.max(most, logE), 0) };
}

function requireChance(p0: number): void {
  // A match that cannot happen by chance would be infinite evidence: no null chance that was measured is 0.
  if (!(p0 > 0 && p0 <= 1)) throw new RangeError(`a null chance must lie in (0, 1], got ${p0}`);
}

function requireLevel(alpha: number): void {
  if (!(alpha > 0 && alpha <= 1)) throw new RangeError(`a level must lie in (0, 1], got ${alpha}`);
}
