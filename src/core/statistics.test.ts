/**
 * @file The statistics against SciPy (test/fixtures/scipy-statistics.py), and against properties no table can fake.
 */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inverseRegularizedIncompleteBeta, logGamma, regularizedIncompleteBeta } from "./special.js";
import { binomialTail, clopperPearson, fisherExact, mcnemarExact } from "./statistics.js";
import { quantile, sampleStandardDeviation } from "./summary.js";

interface Group {
  readonly call: string;
  readonly cases: readonly {
    readonly args: readonly never[];
    readonly scipy: number | readonly number[];
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
};
const SCIPY_ELSEWHERE = 1e-10;
/** Near the zeros of log-gamma only the absolute error can be small; elsewhere this is far below the relative one. */
const ABSOLUTE: Readonly<Record<string, number>> = { logGamma: 1e-14 };

const functions: Readonly<Record<string, (...args: never[]) => number | readonly number[]>> = {
  logGamma,
  regularizedIncompleteBeta,
  inverseRegularizedIncompleteBeta,
  binomialTail,
  mcnemarExact,
  fisherExact,
  clopperPearson,
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
        [scipy].flat().forEach((value, i) => {
          expectClose(found[i] ?? Number.NaN, value, SCIPY[name] ?? SCIPY_ELSEWHERE, absolute, `${what} against SciPy`);
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

test("what makes no sense is refused", () => {
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
