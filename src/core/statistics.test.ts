/**
 * @file The statistics against SciPy (test/fixtures/scipy-statistics.py), and against properties no table can fake.
 */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bettingEProcess, differenceEProcess, mixtureLogE } from "./e-process.js";
import { inverseRegularizedIncompleteBeta, logGamma, regularizedIncompleteBeta } from "./special.js";
import {
  binomialTail,
  clopperPearson,
  clopperPearsonUpper,
  fisherExact,
  logBinomialLowerTail,
  logBinomialTail,
  mcnemarExact,
  rankPValue,
} from "./statistics.js";
import { quantile, sampleStandardDeviation } from "./summary.js";

interface Group {
  readonly call: string;
  readonly cases: readonly {
    readonly args: readonly never[];
    /** null where SciPy has no such function, or underflows. */
    readonly scipy: number | readonly number[] | null;
    readonly exact: number | readonly number[] | null;
  }[];
}

const { functions: fixture }: { readonly functions: Readonly<Record<string, Group>> } = JSON.parse(
  readFileSync(new URL("../../test/fixtures/scipy-statistics.json", import.meta.url), "utf8"),
);

/**
 * Relative tolerances. "exact" has full double precision, so what remains is ours: rounding of an exponent of up to 700
 * gives 700 · 2^-52 ≈ 1.6e-13, and the arguments of the deviance terms add a few times as much.
 *
 * SciPy 1.10 is itself off where it rests on Cephes' incomplete beta function (its betaincinv(100, 1, 1e-12), which is
 * 10^-0.12, is right to 6 digits only): there it is compared at what it reaches, and the exact value decides.
 */
const EXACT = 2e-12;
const SCIPY: Readonly<Record<string, number>> = {
  regularizedIncompleteBeta: 2e-9,
  inverseRegularizedIncompleteBeta: 1e-6,
  clopperPearson: 1e-5,
  clopperPearsonUpper: 1e-5,
};
const SCIPY_ELSEWHERE = 1e-10;
/** Near the zeros of log-gamma only the absolute error can be small; elsewhere this is far below the relative one. */
const ABSOLUTE: Readonly<Record<string, number>> = { logGamma: 1e-14 };
/** SciPy takes the logarithm of a tail that is already rounded: near 1 only the absolute error is small. */
const SCIPY_ABSOLUTE: Readonly<Record<string, number>> = { logBinomialTail: 1e-15, logBinomialLowerTail: 1e-15 };

const functions: Readonly<Record<string, (...args: never[]) => number | readonly number[]>> = {
  logGamma,
  regularizedIncompleteBeta,
  inverseRegularizedIncompleteBeta,
  binomialTail,
  mcnemarExact,
  fisherExact,
  clopperPearson,
  logBinomialTail,
  logBinomialLowerTail,
  clopperPearsonUpper,
  mixtureLogE,
  bettingLogE: (matched: readonly number[], chances: readonly number[]) =>
    bettingEProcess(
      matched.map((m) => m === 1),
      chances,
    ).logE,
  differenceLogE: (differences: readonly number[]) => differenceEProcess(differences).logE,
  quantile: (q: number, values: readonly number[]) => quantile(values, q),
  sampleStandardDeviation,
};

function expectClose(found: number, expected: number, relative: number, absolute: number, what: string): void {
  const allowed = relative * Math.abs(expected) + absolute;
  expect(Math.abs(found - expected), `${what}: found ${found}, expected ${expected}`).toBeLessThanOrEqual(allowed);
}

describe("SciPy's values", () => {
  for (const [name, { call, cases }] of Object.entries(fixture)) {
    test(`${name}: ${cases.length} values of ${call}`, () => {
      const run = functions[name];
      if (run === undefined) throw new Error(`the fixture knows ${name}, the test does not`);
      for (const { args, scipy, exact } of cases) {
        const found = [run(...args)].flat();
        const what = `${name}(${args.join(", ")})`;
        const absolute = ABSOLUTE[name] ?? 0;
        (scipy === null ? [] : [scipy].flat()).forEach((value, i) => {
          const relative = SCIPY[name] ?? SCIPY_ELSEWHERE;
          expectClose(
            found[i] ?? Number.NaN,
            value,
            relative,
            absolute + (SCIPY_ABSOLUTE[name] ?? 0),
            `${what}, SciPy`,
          );
        });
        if (exact === null) continue;
        [exact].flat().forEach((value, i) => {
          expectClose(found[i] ?? Number.NaN, value, EXACT, absolute, `${what} against the exact value`);
        });
      }
    });
  }

  test("every function above is in the fixture", () => {
    for (const name of Object.keys(functions)) expect(fixture[name]?.cases.length, name).toBeGreaterThan(3);
  });
});

test("the far tail of the binomial keeps its digits: 0.1^200 and below", () => {
  expectClose(binomialTail(200, 200, 0.1), 1e-200, 1e-12, 0, "0.1^200");
  expectClose(binomialTail(300, 300, 0.1), 1e-300, 1e-12, 0, "0.1^300");
  expect(binomialTail(1000, 1000, 0.1)).toBe(0);
});

test("binomial tails are 1 at 0, 0 beyond n, and fall as k grows", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true }), (n, p) => {
      expect(binomialTail(0, n, p)).toBe(1);
      expect(binomialTail(n + 1, n, p)).toBe(0);
      for (let k = 0; k < n; k++) {
        const [here, next] = [binomialTail(k, n, p), binomialTail(k + 1, n, p)];
        expect(next).toBeLessThanOrEqual(here + 1e-13);
        expect(here).toBeGreaterThanOrEqual(0);
        expect(here).toBeLessThanOrEqual(1);
      }
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("the binomial tail is an incomplete beta function: P(X ≥ k) = I_p(k, n − k + 1)", () => {
  for (const [k, n, p] of [
    [1, 10, 0.3],
    [9, 12, 0.5],
    [40, 100, 0.1],
    [620, 1000, 0.6],
  ] as const) {
    const tail = binomialTail(k, n, p);
    expectClose(regularizedIncompleteBeta(p, k, n - k + 1), tail, 1e-12, 0, `k ${k}, n ${n}, p ${p}`);
  }
});

test("both tails of Fisher's test share exactly the table between them", () => {
  fc.assert(
    fc.property(fc.nat(40), fc.nat(40), fc.nat(40), fc.nat(40), (a, extra, c, otherExtra) => {
      const [size, otherSize] = [a + extra, c + otherExtra];
      const greater = fisherExact(a, size, c, otherSize);
      const less = fisherExact(c, otherSize, a, size);
      expect(greater).toBeLessThanOrEqual(1);
      expect(greater + less).toBeGreaterThanOrEqual(1 - 1e-12);
    }),
    { numRuns: 500, seed: 2 },
  );
});

test("Fisher's test with nothing to compare says nothing", () => {
  expect(fisherExact(0, 0, 0, 0)).toBe(1);
  expect(fisherExact(5, 5, 0, 0)).toBe(1);
  expect(fisherExact(10, 10, 20, 20)).toBe(1);
});

test("the Clopper-Pearson interval is where each binomial tail holds half of what is left out", () => {
  for (const [k, n] of [
    [1, 10],
    [16, 100],
    [99, 100],
    [7, 5000],
  ] as const) {
    const [low, high] = clopperPearson(k, n, 0.95);
    expectClose(binomialTail(k, n, low), 0.025, 1e-11, 0, `lower end of ${k} of ${n}`);
    // P(X ≤ k) = 0.025 asks for P(X ≥ k + 1) = 0.975
    expectClose(binomialTail(k + 1, n, high), 0.975, 1e-11, 0, `upper end of ${k} of ${n}`);
  }
});

test("the inverse of the incomplete beta function inverts it", () => {
  const size = fc.double({ min: 0.3, max: 5000, noNaN: true });
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 0.999, noNaN: true }), size, size, (p, a, b) => {
      const x = inverseRegularizedIncompleteBeta(p, a, b);
      expect(x).toBeGreaterThan(0);
      // x itself is rounded; where the distribution is steep that alone moves p, by at most density · ulp.
      const around = regularizedIncompleteBeta(Math.min(1, x * (1 + 4e-15)), a, b) - p;
      const below = regularizedIncompleteBeta(x * (1 - 4e-15), a, b) - p;
      expect(around).toBeGreaterThanOrEqual(-1e-11 * p);
      expect(below).toBeLessThanOrEqual(1e-11 * p);
    }),
    { numRuns: 300, seed: 3 },
  );
});

test("the logarithm of a tail is the logarithm of the tail, and goes on where the tail is 0", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0.001, max: 0.999, noNaN: true }), (n, p) => {
      for (let k = 0; k <= n; k += 1 + Math.floor(n / 20)) {
        const tail = binomialTail(k, n, p);
        // Below the smallest normal double the tail itself has lost digits.
        if (tail < 1e-307) continue;
        expectClose(Math.exp(logBinomialTail(k, n, p)), tail, 1e-12, 0, `k ${k}, n ${n}, p ${p}`);
        // The complement, to the absolute precision of a sum near 1.
        const rest = k === 0 ? 0 : Math.exp(logBinomialLowerTail(k - 1, n, p));
        expectClose(tail + rest, 1, 1e-12, 0, `both tails, k ${k}, n ${n}, p ${p}`);
      }
    }),
    { numRuns: 100, seed: 4 },
  );
  expectClose(logBinomialTail(1000, 1000, 0.1) / Math.LN10, -1000, 1e-13, 0, "log10 of 0.1^1000");
});

test("the ends of both tails", () => {
  expect(logBinomialTail(0, 10, 0.1)).toBe(0);
  expect(logBinomialTail(11, 10, 0.1)).toBe(-Infinity);
  expect(logBinomialTail(1, 10, 0)).toBe(-Infinity);
  expect(logBinomialTail(10, 10, 1)).toBe(0);
  expect(logBinomialLowerTail(10, 10, 0.1)).toBe(0);
  expect(logBinomialLowerTail(-1, 10, 0.1)).toBe(-Infinity);
  expect(logBinomialLowerTail(0, 10, 0)).toBe(0);
  expect(logBinomialLowerTail(9, 10, 1)).toBe(-Infinity);
  expect(logBinomialTail(0, 0, 0.5)).toBe(0);
});

test("the one-sided upper limit is where the lower tail holds what is left out", () => {
  for (const [k, n, confidence] of [
    [0, 20, 0.95],
    [16, 100, 0.99],
    [7, 5000, 0.9],
  ] as const) {
    const limit = clopperPearsonUpper(k, n, confidence);
    expectClose(Math.exp(logBinomialLowerTail(k, n, limit)), 1 - confidence, 1e-11, 0, `limit of ${k} of ${n}`);
  }
  expect(clopperPearsonUpper(5, 5)).toBe(1);
});

test("a rank counts ties against the claimant, and is exact: p ≤ j/(N + 1) in j of N + 1 ranks", () => {
  expect(rankPValue(3, [1, 2, 3, 4])).toBe(3 / 5);
  expect(rankPValue(5, [1, 2, 3, 4])).toBe(1 / 5);
  expect(rankPValue(0, [])).toBe(1);
  expect(rankPValue(2, [2, 2, 2])).toBe(1);
  const values = [0.3, 0.1, 0.9, 0.2, 0.7];
  const ranks = values.map((value, i) => rankPValue(value, values.toSpliced(i, 1)));
  expect(ranks.toSorted()).toEqual([1 / 5, 2 / 5, 3 / 5, 4 / 5, 1]);
});

test("what makes no sense is refused", () => {
  expect(() => rankPValue(Number.NaN, [1])).toThrow(RangeError);
  expect(() => rankPValue(1, [Number.NaN])).toThrow(RangeError);
  expect(() => clopperPearsonUpper(2, 1)).toThrow(RangeError);
  expect(() => clopperPearsonUpper(0, 1, 0)).toThrow(RangeError);
  expect(() => logBinomialTail(1.5, 10, 0.1)).toThrow(RangeError);
  expect(() => logBinomialLowerTail(1, 10, -0.1)).toThrow(RangeError);
  expect(() => binomialTail(1.5, 10, 0.1)).toThrow(RangeError);
  expect(() => binomialTail(1, -1, 0.1)).toThrow(RangeError);
  expect(() => binomialTail(1, 10, 1.1)).toThrow(RangeError);
  expect(() => binomialTail(1, 10, Number.NaN)).toThrow(RangeError);
  expect(() => clopperPearson(11, 10)).toThrow(RangeError);
  expect(() => clopperPearson(0, 0)).toThrow(RangeError);
  expect(() => clopperPearson(1, 10, 1)).toThrow(RangeError);
  expect(() => fisherExact(3, 2, 0, 5)).toThrow(RangeError);
  expect(() => mcnemarExact(-1, 2)).toThrow(RangeError);
  expect(() => logGamma(0)).toThrow(RangeError);
  expect(() => regularizedIncompleteBeta(2, 1, 1)).toThrow(RangeError);
});
