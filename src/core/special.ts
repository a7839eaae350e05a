/**
 * @file Special functions behind the tests of ownership: log-gamma, the binomial density, the incomplete beta function.
 *
 * Everything rests on Loader's saddle-point form of the binomial density (C. Loader, "Fast and accurate computation of
 * binomial probabilities", 2000). It never subtracts two large log-gammas, so that a probability of 1e-200 keeps the
 * relative precision of one of 0.1, up to the rounding of the exponent: about |log p| · 2^-52.
 */

const LOG_2_PI = Math.log(2 * Math.PI);

/** From here on the asymptotic series below is exact in double precision. */
const ASYMPTOTIC = 16;

/** Most terms of a continued fraction or steps of a root search; far above what converging needs (about √(a + b)). */
const MAX_ITERATIONS = 100_000;

/**
 * log Γ(x) for x > 0.
 *
 * Stirling's series (DLMF 5.11.1); small arguments are first raised by Γ(x + 1) = x·Γ(x). Relative error about 1e-15,
 * except near the zeros at 1 and 2, where it is the absolute error that stays below 1e-14.
 */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`logGamma needs x > 0, got ${x}`);
  let product = 1;
  let raised = x;
  for (; raised < ASYMPTOTIC; raised++) product *= raised;
  const stirling = (raised - 0.5) * Math.log(raised) - raised + LOG_2_PI / 2 + stirlingSeries(raised);
  return stirling - Math.log(product);
}

/** Σ B₂ₖ / (2k(2k−1)x²ᵏ⁻¹): what Stirling's formula misses; the first dropped term is below 1e-16 for x ≥ 16. */
function stirlingSeries(x: number): number {
  const y = 1 / (x * x);
  return (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y * (1 / 1188 - (y * 691) / 360360))))) / x;
}

/** log Γ(x + 1) minus Stirling's formula for it: Loader's δ(x). */
function stirlingError(x: number): number {
  if (x >= ASYMPTOTIC) return stirlingSeries(x);
  return logGamma(x + 1) - (x + 0.5) * Math.log(x) + x - LOG_2_PI / 2;
}

/** x·log(x/m) + m − x without cancellation where x is near m: Loader's deviance term. */
function deviance(x: number, m: number): number {
  const difference = x - m;
  const v = difference / (x + m);
  if (Math.abs(v) >= 0.1) return x * Math.log(x / m) - difference;
  // log(x/m) = 2 artanh(v) = 2(v + v³/3 + v⁵/5 + …)
  let sum = difference * v;
  let term = 2 * x * v;
  for (let k = 3; ; k += 2) {
    term *= v * v;
    const next = sum + term / k;
    if (next === sum) return sum;
    sum = next;
  }
}

/**
 * Logarithm of the binomial density C(n, x)·pˣ·qⁿ⁻ˣ, with the coefficient continued by the gamma function: x and n need
 * not be whole. Needs 0 ≤ x ≤ n and p, q in [0, 1] with p + q = 1, both given so that neither loses digits.
 */
export function logBinomialDensity(x: number, n: number, p: number, q: number): number {
  if (p === 0) return x === 0 ? 0 : -Infinity;
  if (q === 0) return x === n ? 0 : -Infinity;
  if (x === 0) return n * (p < 0.1 ? Math.log1p(-p) : Math.log(q));
  if (x === n) return n * (q < 0.1 ? Math.log1p(-q) : Math.log(p));
  const y = n - x;
  const corrections = stirlingError(n) - stirlingError(x) - stirlingError(y);
  const deviances = deviance(x, n * p) + deviance(y, n * q);
  return corrections - deviances - 0.5 * (LOG_2_PI + Math.log(x) + Math.log(y / n));
}

/**
 * The regularised incomplete beta function I_x(a, b): the distribution function of Beta(a, b) at x in [0, 1].
 *
 * Continued fraction DLMF 8.17.22 by the modified Lentz algorithm, on whichever side it converges fast. Relative error
 * about 1e-13 for a, b from 0.5 to 1e6 (checked against SciPy and mpmath).
 */
export function regularizedIncompleteBeta(x: number, a: number, b: number): number {
  if (!(a > 0 && b > 0 && x >= 0 && x <= 1)) {
    throw new RangeError(`the incomplete beta function needs a, b > 0 and x in [0, 1], got ${a}, ${b}, ${x}`);
  }
  if (x === 0 || x === 1) return x;
  // x^a (1-x)^b / B(a, b), from the binomial density because that keeps its digits for large a and b
  const front = ((a * b) / (a + b)) * Math.exp(logBinomialDensity(a, a + b, x, 1 - x));
  return x <= (a + 1) / (a + b + 2) ? (front / a) * betaFraction(x, a, b) : 1 - (front / b) * betaFraction(1 - x, b, a);
}

/** 1 / (1 + d₁/(1 + d₂/(1 + …))) of DLMF 8.17.22. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const orTiny = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / orTiny(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= MAX_ITERATIONS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / orTiny(1 + even * d);
    c = orTiny(1 + even / c);
    fraction *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / orTiny(1 + odd * d);
    c = orTiny(1 + odd / c);
    const step = c * d;
    fraction *= step;
    if (Math.abs(step - 1) < Number.EPSILON) return fraction;
  }
  throw new RangeError(`the incomplete beta function did not converge for x ${x}, a ${a}, b ${b}`);
}

/**
 * The x in [0, 1] with I_x(a, b) = p: the quantile function of Beta(a, b).
 *
 * Newton's method on log I against t = log x. There the function is increasing and, for b ≥ 1, concave, so that the
 * steps come in from one side; a bracket catches what strays for b < 1.
 */
export function inverseRegularizedIncompleteBeta(p: number, a: number, b: number): number {
  if (!(p >= 0 && p <= 1 && a > 0 && b > 0)) {
    throw new RangeError(`the inverse beta function needs p in [0, 1] and a, b > 0, got ${p}, ${a}, ${b}`);
  }
  if (p === 0 || p === 1) return p;
  let low = Math.log(Number.MIN_VALUE);
  let high = 0;
  let t = Math.log(a / (a + b));
  for (let i = 0; i < MAX_ITERATIONS; i++) {
    const x = Math.exp(t);
    const value = regularizedIncompleteBeta(x, a, b);
    if (value < p) low = t;
    else high = t;
    // d log I / dt = x · density / I; the density at x is front / (x(1 − x)), see above
    const density = ((a * b) / (a + b)) * Math.exp(logBinomialDensity(a, a + b, x, 1 - x));
    const slope = density / ((1 - x) * value);
    const newton = t - Math.log(value / p) / slope;
    if (Math.abs(newton - t) <= 1e-15 * Math.max(1, Math.abs(t))) return Math.exp(newton);
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (next === low || next === high) return Math.exp(next);
    t = next;
  }
  throw new RangeError(`the inverse beta function did not converge for p ${p}, a ${a}, b ${b}`);
}

/** Below this the series for Φ loses less to cancellation than it saves in terms. */
const SERIES_UP_TO = 2;

/** log Φ(x), Φ being the distribution function of the standard normal; far into the lower tail it stays finite. */
function logNormalCdf(x: number): number {
  if (x > SERIES_UP_TO) return Math.log1p(-Math.exp(logNormalCdf(-x)));
  if (x < -SERIES_UP_TO) return -(x * x) / 2 - LOG_2_PI / 2 - Math.log(millsFraction(-x));
  // ½ + φ(x) (x + x³/3 + x⁵/15 + …): DLMF 7.6.2.
  let term = x;
  let sum = x;
  for (let k = 3; ; k += 2) {
    term *= (x * x) / k;
    const next = sum + term;
    if (next === sum) break;
    sum = next;
  }
  return Math.log(0.5 + Math.exp(-(x * x) / 2 - LOG_2_PI / 2) * sum);
}

/**
 * x + 1/(x + 2/(x + 3/(x + …))) for x ≥ 2 by the modified Lentz algorithm: φ(x) / (1 − Φ(x)), Laplace's continued
 * fraction.
 */
function millsFraction(x: number): number {
  let c = x;
  let d = 0;
  let fraction = x;
  for (let k = 1; k <= MAX_ITERATIONS; k++) {
    d = 1 / (x + k * d);
    c = x + k / c;
    const step = c * d;
    fraction *= step;
    if (Math.abs(step - 1) < Number.EPSILON) return fraction;
  }
  throw new RangeError(`the continued fraction of the normal tail did not converge for ${x}`);
}

/** Φ(x): the distribution function of the standard normal. Relative error below 1e-14 down to 1e-300. */
export function normalCdf(x: number): number {
  if (Number.isNaN(x)) throw new RangeError("the normal distribution function needs a number, got NaN");
  return x === Infinity ? 1 : x === -Infinity ? 0 : Math.exp(logNormalCdf(x));
}

/**
 * The x with Φ(x) = p: the quantile function of the standard normal, for p in [0, 1].
 *
 * Newton's method on log Φ, which is increasing and concave: whatever the first step, the others come in from below.
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`the normal quantile needs p in [0, 1], got ${p}`);
  if (p === 0 || p === 1) return p === 0 ? -Infinity : Infinity;
  // 1 − p is exact from ½ on.
  if (p > 0.5) return -normalQuantile(1 - p);
  const target = Math.log(p);
  let x = 0;
  for (let i = 0; i < MAX_ITERATIONS; i++) {
    const log = logNormalCdf(x);
    const slope = Math.exp(-(x * x) / 2 - LOG_2_PI / 2 - log);
    const next = x - (log - target) / slope;
    if (Math.abs(next - x) <= 4 * Number.EPSILON * Math.max(1, Math.abs(x))) return next;
    x = next;
  }
  throw new RangeError(`the normal quantile did not converge for p ${p}`);
}
