/**
 * @file The statistics of a certificate: how much of a key a model retains, whatever is done to its weights within a
 * ball (Bansal et al., ICML 2022, with the percentile smoothing of Chiang, Curry, Abdelkader, Kumar, Dickerson,
 * Goldstein, NeurIPS 2020). This file runs no model.
 *
 * Let a(θ) be the retention of a model with weights θ, and h_p(θ) the p-th percentile of a(θ + G) over Gaussian noise G
 * with deviation σ on every weight. For any change δ of the weights
 *
 *     h_½(θ + δ) ≥ h_q(θ),   q = Φ(−‖δ‖₂ / σ)
 *
 * so the median after any change of length r or less is at least the Φ(−r/σ)-percentile before it. That is bounded from
 * below by an order statistic: of n sampled retentions the k-th smallest is at most h_q unless fewer than k samples lie
 * at or below it, and those are Binomial(n, q) or more.
 */

import { normalCdf, normalQuantile } from "../core/special.js";
import { binomialTail, clopperPearson } from "../core/statistics.js";

export interface Smoothing {
  /** σ, standard deviation of the noise on each weight. */
  readonly sigma: number;
  /** How sure each single bound is, in (½, 1). */
  readonly confidence: number;
}

/**
 * The largest order statistic (counted from 1) of `draws` samples that is at most the `percentile` of what they are
 * drawn from, with the given confidence; 0 where even the smallest sample is not.
 *
 * @param percentile in [0, 1]
 */
export function lowerOrderStatistic(draws: number, percentile: number, confidence: number): number {
  // P(at least k of n samples lie at or below the percentile) falls with k: the largest k is found by halving.
  let [low, high] = [0, draws];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (binomialTail(middle, draws, percentile) >= confidence) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * What the median retention over noise is at least, however the weights are moved by a length of `radius` or less.
 *
 * @param retentions of the model under noise, one for each draw, in any order.
 * @returns a share; 0 where nothing is certified.
 */
export function certifiedRetention(
  retentions: readonly number[],
  radius: number,
  { sigma, confidence }: Smoothing,
): number {
  const k = lowerOrderStatistic(retentions.length, normalCdf(-radius / sigma), confidence);
  return k === 0 ? 0 : (retentions.toSorted((a, b) => a - b)[k - 1] ?? 0);
}

/**
 * The length by which the weights may be moved, in any direction, before the median retention over noise can fall below
 * `least`: −σ Φ⁻¹(p), p the upper Clopper-Pearson limit of the share of draws below it.
 *
 * @returns undefined where not even the median of the model as it is can be said to be so high.
 */
export function certifiedRadius(
  retentions: readonly number[],
  least: number,
  { sigma, confidence }: Smoothing,
): number | undefined {
  const below = retentions.filter((retention) => retention < least).length;
  if (below === retentions.length) return undefined;
  // A one-sided limit is the end of a two-sided interval with twice the doubt.
  const [, share] = clopperPearson(below, retentions.length, 2 * confidence - 1);
  return share > 0.5 ? undefined : -sigma * normalQuantile(share);
}
