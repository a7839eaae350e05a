/** @file How far the one that stands out of a few numbers stands out: the rules that detectors publish. */

import { logGamma } from "../core/special.js";
import { mean, median, quantile } from "../core/summary.js";

/** Where the largest lies; the first of equals. */
export function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? Number.NEGATIVE_INFINITY) ? i : best), 0);
}

/** Makes the median absolute deviation of normally distributed numbers their standard deviation. */
const CONSISTENT = 1.4826;

/** A spread below it is taken for it: numbers that are all the same have no outlier, and no infinite one. */
const LEAST_SPREAD = 1e-12;

/** (value − median) / (1.4826 · median of |value − median|), of each. */
export function medianDeviations(values: readonly number[]): readonly number[] {
  const middle = median(values);
  const spread = CONSISTENT * median(values.map((value) => Math.abs(value - middle)));
  return values.map((value) => (value - middle) / Math.max(LEAST_SPREAD, spread));
}

/** (largest − Q3) / (Q3 − Q1): FreeEagle's anomaly metric. */
export function quartileAnomaly(values: readonly number[]): number {
  const [lower, upper] = [quantile(values, 0.25), quantile(values, 0.75)];
  return (Math.max(...values) - upper) / Math.max(LEAST_SPREAD, upper - lower);
}

/**
 * −log₁₀ of the probability that the largest of K draws of a Gamma distribution is as large as the largest of `values`,
 * with the distribution fitted by maximum likelihood to all the others: 1 − F(largest)^K, to full precision in the tail.
 *
 * @param values K ≥ 3 numbers; those that are not above 0 count as almost 0.
 */
export function gammaAnomaly(values: readonly number[]): number {
  if (values.length < 3) throw new RangeError(`a Gamma distribution needs 2 numbers beside the largest`);
  const at = largest(values);
  const scale = Math.max(LEAST_SPREAD, mean(values.map(Math.abs)));
  const positive = values.map((value) => Math.max(1e-6, value / scale));
  const { shape, rate } = fittedGamma(positive.filter((_, i) => i !== at));
  const logTail = logUpperGamma(shape, rate * (positive[at] ?? 0));
  // 1 − (1 − q)^K with q = exp(logTail); K·q where q is small.
  const p = -Math.expm1(values.length * Math.log1p(-Math.min(1 - 1e-16, Math.exp(logTail))));
  const log = logTail < -30 ? logTail + Math.log(values.length) : Math.log(p);
  return -log / Math.LN10;
}

/** A shape beyond it is no more told apart from a normal distribution of no spread. */
const LARGEST_SHAPE = 1e6;

/** By maximum likelihood (Minka, "Estimating a Gamma distribution", 2002: the generalised Newton step). */
export function fittedGamma(values: readonly number[]): { readonly shape: number; readonly rate: number } {
  const average = mean(values);
  const gap = Math.log(average) - mean(values.map(Math.log));
  if (!(gap > 0.5 / LARGEST_SHAPE)) return { shape: LARGEST_SHAPE, rate: LARGEST_SHAPE / average };
  let shape = 0.5 / gap;
  for (let step = 0; step < 100; step++) {
    const inverse =
      1 / shape + (Math.log(shape) - digamma(shape) - gap) / (shape * shape * (1 / shape - trigamma(shape)));
    const next = 1 / inverse;
    if (!(next > 0) || Math.abs(next - shape) < 1e-12 * shape) break;
    shape = next;
  }
  const bounded = Math.min(LARGEST_SHAPE, shape);
  return { shape: bounded, rate: bounded / average };
}

/** From here on the asymptotic series has ten digits and more. */
const ASYMPTOTIC = 10;

/** d log Γ(x) / dx, x > 0. */
export function digamma(x: number): number {
  if (x < ASYMPTOTIC) return digamma(x + 1) - 1 / x;
  const y = 1 / (x * x);
  return Math.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))));
}

/** d² log Γ(x) / dx², x > 0. */
export function trigamma(x: number): number {
  if (x < ASYMPTOTIC) return trigamma(x + 1) + 1 / (x * x);
  const y = 1 / (x * x);
  return 1 / x + y / 2 + (y / x) * (1 / 6 - y * (1 / 30 - y * (1 / 42 - y * (1 / 30 - (5 * y) / 66))));
}

/** log Q(a, x), the upper regularised incomplete Gamma function: by a series below a + 1, by a fraction above. */
export function logUpperGamma(a: number, x: number): number {
  if (x <= 0) return 0;
  const front = a * Math.log(x) - x - logGamma(a);
  if (x < a + 1) {
    let [term, sum] = [1 / a, 1 / a];
    for (let n = 1; n < 100_000 && term > sum * 1e-17; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return Math.log1p(-Math.min(1 - 1e-16, Math.exp(front + Math.log(sum))));
  }
  // Lentz's method for the continued fraction.
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let h = d;
  for (let n = 1; n < 100_000; n++) {
    const numerator = -n * (n - a);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    h *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front + Math.log(h);
}
