/**
 * @file Exact tests on counts, and the interval of a share: what verdicts of ownership rest on.
 *
 * Every p-value is one-sided towards "more than chance", exact (no normal or chi-squared approximation), and keeps its
 * relative precision far into the tail: a tail is its first term, computed without cancellation, times a sum of ratios
 * of neighbouring terms. Only the doubles' own limit ends it: below 1e-308 a p-value loses digits and then becomes 0.
 * `logBinomialTail` goes on below that.
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
  requireBinomial(k, n, p);
  const { logFirst, sum, isLower } = upperTail(k, n, p, 1 - p);
  const tail = Math.min(1, Math.exp(logFirst) * sum);
  return isLower ? 1 - tail : tail;
}

/**
 * The natural logarithm of P(X ≥ k) for X ~ Binomial(n, p), where the tail itself would be below what a double can
 * hold.
 *
 * @param k any whole number; at or below 0 the logarithm is 0, above n it is −Infinity.
 * @param n number of trials, a whole number ≥ 0.
 * @param p probability of success under the null hypothesis, in [0, 1].
 * @returns a number ≤ 0. Divided by Math.LN10 it is log₁₀ of the p-value.
 */
export function logBinomialTail(k: number, n: number, p: number): number {
  requireBinomial(k, n, p);
  return logOfTail(upperTail(k, n, p, 1 - p));
}

/**
 * The natural logarithm of P(X ≤ k) for X ~ Binomial(n, p): the other tail, with p as it is given. (Asking
 * `logBinomialTail` for n − k failures at 1 − p would round a small p away.)
 */
export function logBinomialLowerTail(k: number, n: number, p: number): number {
  requireBinomial(k, n, p);
  return logOfTail(upperTail(n - k, n, 1 - p, p));
}

/** exp(logFirst) · sum: P(X ≥ k), or what it lacks to 1 where `isLower`. */
interface Tail {
  readonly logFirst: number;
  readonly sum: number;
  readonly isLower: boolean;
}

/** P(X ≥ k), with p and q = 1 − p both given so that neither loses digits. */
function upperTail(k: number, n: number, p: number, q: number): Tail {
  if (k <= 0) return { logFirst: 0, sum: 1, isLower: false };
  if (k > n) return { logFirst: -Infinity, sum: 1, isLower: false };
  const logTerm = (x: number): number => logBinomialDensity(x, n, p, q);
  if (p === 0 || q === 0) return { logFirst: q === 0 ? 0 : -Infinity, sum: 1, isLower: false };
  if (k > n * p) {
    return { logFirst: logTerm(k), sum: sumOfRatios(k, n, (x) => ((n - x) / (x + 1)) * (p / q)), isLower: false };
  }
  // At or below the mean the tail is large, so that 1 − P(X ≤ k − 1) loses nothing.
  const below = sumOfRatios(0, k - 1, (x) => ((k - 1 - x) / (n - k + 2 + x)) * (q / p));
  return { logFirst: logTerm(k - 1), sum: below, isLower: true };
}

function logOfTail({ logFirst, sum, isLower }: Tail): number {
  const log = Math.min(0, logFirst + Math.log(sum));
  return isLower ? Math.log1p(-Math.exp(log)) : log;
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
 * The upper Clopper-Pearson limit of a share, one-sided: the true share lies above it at most 1 − `confidence` of the
 * time. What a null chance may be taken for when models that are innocent were counted.
 *
 * @param matches successes, 0 … n.
 * @param n trials, ≥ 1.
 * @param confidence in (0, 1), 0.95 by default: all of what is left out lies above.
 */
export function clopperPearsonUpper(matches: number, n: number, confidence = 0.95): number {
  requireCounts({ matches, n });
  if (n === 0 || matches > n) throw new RangeError(`a limit needs 0 ≤ matches ≤ n and n ≥ 1, got ${matches} of ${n}`);
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence must lie in (0, 1), got ${confidence}`);
  return matches === n ? 1 : inverseRegularizedIncompleteBeta(confidence, matches + 1, n - matches);
}

/**
 * The Monte-Carlo p-value of a rank: (1 + others at least as large) / (others + 1). Ties count against the claimant.
 *
 * Exact for any number of others, where `value` and the others are exchangeable under the null hypothesis. (A. C.
 * Davison, D. V. Hinkley, *Bootstrap Methods*, 1997, section 4.2.) It cannot fall below 1 / (others + 1).
 *
 * @param value what is ranked; large speaks against the null hypothesis.
 * @param others draws from the null hypothesis; without any the p-value is 1.
 */
export function rankPValue(value: number, others: readonly number[]): number {
  for (const each of [value, ...others]) {
    if (Number.isNaN(each)) throw new RangeError("a rank needs numbers, got NaN");
  }
  return (1 + others.filter((other) => other >= value).length) / (others.length + 1);
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

/** first·(1 + r₀ + r₀r₁ + …), see below. */
function sumTail(first: number, from: number, to: number, ratio: (x: number) => number): number {
  // Rounding may carry a sum over everything a hair above 1.
  return Math.min(1, first * sumOfRatios(from, to, ratio));
}

/** 1 + r₀ + r₀r₁ + … with rᵢ = ratio(from + i), over to − from + 1 terms or until they no longer count. */
function sumOfRatios(from: number, to: number, ratio: (x: number) => number): number {
  let sum = 1;
  let term = 1;
  for (let x = from; x < to && term > sum * 1e-18; x++) {
    term *= ratio(x);
    sum += term;
  }
  return sum;
}

function requireBinomial(k: number, n: number, p: number): void {
  requireCounts({ n });
  requireWhole({ k });
  requireShare({ p });
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
