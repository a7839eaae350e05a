/**
 * @file Exact tests on counts, and the interval of a share: what verdicts of ownership rest on.
 *
 * Every p-value is one-sided towards "more than chance", exact (no normal or chi-squared approximation), and keeps its
 * relative precision far into the tail: a tail is its first term, computed without cancellation, times a sum of ratios
 * of neighbouring terms. Only the doubles' own limit ends it: below 1e-308 a p-value loses digits and then becomes 0.
 */

import { inverseRegularizedIncompleteBeta, logBinomialDensity } from "./special.js";

/**
 * P(X ≥ k) for X ~ Binomial(n, p): the one-sided p-value of k successes in n trials.
 *
 * @param k any whole number; at or below 0 the tail is 1, above n it is 0.
 * @param n number of trials, a whole number ≥ 0.
 * @param p probability of success under the null hypothesis, in [0, 1].
 */
export function binomialTail(k: number, n: number, p: number): number {
  requireCounts({ n });
  requireWhole({ k });
  requireShare({ p });
  if (k <= 0) return 1;
  if (k > n) return 0;
  if (p === 0 || p === 1) return p;
  const q = 1 - p;
  const term = (x: number): number => Math.exp(logBinomialDensity(x, n, p, q));
  if (k > n * p) return sumTail(term(k), k, n, (x) => ((n - x) / (x + 1)) * (p / q));
  // At or below the mean the tail is large, so that 1 − P(X ≤ k − 1) loses nothing.
  return 1 - sumTail(term(k - 1), 0, k - 1, (x) => ((k - 1 - x) / (n - k + 2 + x)) * (q / p));
}

/**
 * The Clopper-Pearson interval of a share: exact, so that it covers the true share at least `confidence` of the time.
 *
 * @param matches successes, 0 … n.
 * @param n trials, ≥ 1.
 * @param confidence in (0, 1), 0.95 by default.
 * @returns lower and upper end, in [0, 1]. (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934.)
 */
export function clopperPearson(matches: number, n: number, confidence = 0.95): readonly [number, number] {
  requireCounts({ matches, n });
  if (n === 0 || matches > n)
    throw new RangeError(`an interval needs 0 ≤ matches ≤ n and n ≥ 1, got ${matches} of ${n}`);
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence must lie in (0, 1), got ${confidence}`);
  const tail = (1 - confidence) / 2;
  return [
    matches === 0 ? 0 : inverseRegularizedIncompleteBeta(tail, matches, n - matches + 1),
    matches === n ? 1 : inverseRegularizedIncompleteBeta(1 - tail, matches + 1, n - matches),
  ];
}

/**
 * Exact one-sided McNemar test on pairs: the probability of at least `b` of the b + c discordant pairs pointing the
 * first way when each points either way with probability ½.
 *
 * @param b pairs where only the first of the two succeeded.
 * @param c pairs where only the second succeeded.
 * @returns 1 when there is no discordant pair: nothing speaks against the null hypothesis.
 */
export function mcnemarExact(b: number, c: number): number {
  requireCounts({ b, c });
  return binomialTail(b, b + c, 0.5);
}

/**
 * Fisher's exact test, one-sided: the probability that the first group holds at least `hits` of all successes when
 * the successes fall on the members of both groups alike (the tail of the hypergeometric distribution).
 *
 * @param hits successes in the first group, of `size` members.
 * @param otherHits successes in the second group, of `otherSize` members.
 */
export function fisherExact(hits: number, size: number, otherHits: number, otherSize: number): number {
  requireCounts({ hits, size, otherHits, otherSize });
  if (hits > size || otherHits > otherSize) {
    throw new RangeError(`more successes than members: ${hits} of ${size}, ${otherHits} of ${otherSize}`);
  }
  const total = hits + otherHits;
  const least = Math.max(0, total - otherSize);
  const most = Math.min(size, total);
  if (hits <= least) return 1;
  const term = (x: number): number => Math.exp(logHypergeometricDensity(x, size, otherSize, total));
  /** Density at x + 1 over density at x. */
  const ratio = (x: number): number => ((size - x) * (total - x)) / ((x + 1) * (otherSize - total + x + 1));
  if (hits > (total * size) / (size + otherSize)) return sumTail(term(hits), hits, most, ratio);
  return 1 - sumTail(term(hits - 1), least, hits - 1, (x) => 1 / ratio(hits - 2 - (x - least)));
}

/** log of C(size, x)·C(otherSize, total − x) / C(size + otherSize, total), from three binomial densities (Loader). */
function logHypergeometricDensity(x: number, size: number, otherSize: number, total: number): number {
  const all = size + otherSize;
  const p = total / all;
  const q = (all - total) / all;
  return (
    logBinomialDensity(x, size, p, q) +
    logBinomialDensity(total - x, otherSize, p, q) -
    logBinomialDensity(total, all, p, q)
  );
}

/** first·(1 + r₀ + r₀r₁ + …) with rᵢ = ratio(from + i), over to − from + 1 terms or until they no longer count. */
function sumTail(first: number, from: number, to: number, ratio: (x: number) => number): number {
  let sum = 1;
  let term = 1;
  for (let x = from; x < to && term > sum * 1e-18; x++) {
    term *= ratio(x);
    sum += term;
  }
  // Rounding may carry a sum over everything a hair above 1.
  return Math.min(1, first * sum);
}

function requireWhole(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${name} must be a whole number, got ${value}`);
  }
}

function requireCounts(values: Readonly<Record<string, number>>): void {
  requireWhole(values);
  for (const [name, value] of Object.entries(values)) {
    if (value < 0) throw new RangeError(`${name} must not be negative, got ${value}`);
  }
}

function requireShare(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} must lie in [0, 1], got ${value}`);
  }
}
