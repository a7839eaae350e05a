/** @file Wald's test and fixed looks: by hand, by exact sums over paths, and by simulation. */

import { describe, expect, test } from "vitest";
import { randomStream } from "./random.js";
import { fixedLooks, lookLevel, sequentialRatioTest } from "./sequential.js";
import { binomialTail, clopperPearson } from "./statistics.js";

const options = { p0: 0.1, p1: 0.5, alpha: 0.01, beta: 0.05 } as const;

/**
 * The chance that a test of matches at a chance of p ends at each border within n trials: exact, since where the test
 * stands depends on trials and matches alone.
 */
function ends(p: number, n: number): { readonly upper: number; readonly lower: number } {
  const { p0, p1, alpha, beta } = options;
  const [up, down] = [Math.log((1 - beta) / alpha), Math.log(beta / (1 - alpha))];
  let alive = [1];
  let [upper, lower] = [0, 0];
  for (let step = 1; step <= n; step++) {
    const next = new Array<number>(step + 1).fill(0);
    alive.forEach((weight, k) => {
      next[k] = (next[k] ?? 0) + weight * (1 - p);
      next[k + 1] = (next[k + 1] ?? 0) + weight * p;
    });
    alive = next.map((weight, k) => {
      const ratio = k * Math.log(p1 / p0) + (step - k) * Math.log((1 - p1) / (1 - p0));
      if (ratio >= up) upper += weight;
      else if (ratio <= down) lower += weight;
      else return weight;
      return 0;
    });
  }
  return { upper, lower };
}

describe("Wald's sequential test", () => {
  test("gains log(p₁/p₀) with a match, log((1 − p₁)/(1 − p₀)) with a miss, and ends at either border", () => {
    // log 5 = 1.609, log(5/9) = −0.588; borders 4.554 and −2.986.
    const shown = sequentialRatioTest([true, true, false, true, true], options);
    expect(shown).toMatchObject({ crossed: "upper", steps: 5 });
    expect(shown.logRatio).toBeCloseTo(4 * Math.log(5) + Math.log(5 / 9), 12);
    expect(shown.upper).toBeCloseTo(Math.log(95), 12);
    expect(shown.lower).toBeCloseTo(Math.log(0.05 / 0.99), 12);
    expect(shown.logP).toBe(-shown.logRatio);
    const given = sequentialRatioTest(new Array<boolean>(50).fill(false), options);
    expect(given).toMatchObject({ crossed: "lower", steps: 6, logP: 0 });
    expect(sequentialRatioTest([true, false], options)).toMatchObject({ crossed: undefined, steps: 2 });
    expect(sequentialRatioTest([], options)).toMatchObject({ crossed: undefined, steps: 0, logRatio: 0, logP: 0 });
  });

  test("trials after the border are not looked at", () => {
    const four = sequentialRatioTest([true, true, true, false, false, false], options);
    expect(four).toEqual(sequentialRatioTest([true, true, true], options));
  });

  test("a chance for each trial; where it is not below p₁ the trial says nothing", () => {
    const found = sequentialRatioTest([true, true, false], { ...options, p0: [0.1, 0.5, 0.25] });
    expect(found.logRatio).toBeCloseTo(Math.log(5) + Math.log(0.5 / 0.75), 12);
    expect(sequentialRatioTest([true, false], { ...options, p0: [0.6, 0.9] }).logRatio).toBe(0);
  });

  test("keeps its errors: false alarms at most α/(1 − β), wrong endings at most β/(1 − α), by exact sums", () => {
    const { p0, p1, alpha, beta } = options;
    for (const p of [p0, 0.07, 0.01]) expect(ends(p, 400).upper).toBeLessThanOrEqual(alpha / (1 - beta));
    for (const p of [p1, 0.6, 0.95]) expect(ends(p, 400).lower).toBeLessThanOrEqual(beta / (1 - alpha));
    expect(ends(p0, 400).upper + ends(p1, 400).lower).toBeLessThanOrEqual(alpha + beta);
    // It ends, and it has power.
    expect(ends(p0, 400).lower).toBeGreaterThan(0.99);
    expect(ends(p1, 400).upper).toBeGreaterThan(0.95);
  });

  test("the simulated test ends where the sums say, and its p-value holds α", () => {
    const random = randomStream(17, "sprt");
    const runs = 4000;
    const count = { upper: 0, lower: 0, p: 0 };
    for (let run = 0; run < runs; run++) {
      const found = sequentialRatioTest(
        Array.from({ length: 400 }, () => random.uniform() < options.p0),
        options,
      );
      if (found.crossed !== undefined) count[found.crossed] += 1;
      if (found.logP <= Math.log(0.05)) count.p += 1;
    }
    const exact = ends(options.p0, 400);
    for (const border of ["upper", "lower"] as const) {
      const [low, high] = clopperPearson(count[border], runs, 0.998);
      expect(exact[border]).toBeGreaterThanOrEqual(low);
      expect(exact[border]).toBeLessThanOrEqual(high);
    }
    expect(clopperPearson(count.p, runs, 0.998)[1]).toBeLessThanOrEqual(0.05);
  });

  test("options that make no test are refused", () => {
    for (const wrong of [{ p0: 0 }, { p1: 1 }, { alpha: 0 }, { beta: 1 }, { alpha: 0.6, beta: 0.5 }, { p0: [0.1] }]) {
      expect(() => sequentialRatioTest([true, false], { ...options, ...wrong })).toThrow(RangeError);
    }
  });
});

describe("fixed looks", () => {
  test("the levels are 6α/(π²j²): 0.0304, 0.0076, … of 0.05, and never more than α together", () => {
    expect(lookLevel(1, 0.05)).toBeCloseTo(0.030396, 6);
    expect(lookLevel(2, 0.05)).toBeCloseTo(0.007599, 6);
    let sum = 0;
    for (let look = 1; look <= 100_000; look++) sum += lookLevel(look, 0.05);
    expect(sum).toBeLessThan(0.05);
    expect(sum).toBeGreaterThan(0.05 - 1e-6);
    expect(() => lookLevel(0, 0.05)).toThrow(RangeError);
  });

  test("each look is the exact binomial test of all trials so far; the first that reaches its level rejects", () => {
    const looks = [
      { matches: 3, trials: 10 },
      { matches: 9, trials: 20 },
      { matches: 10, trials: 40 },
    ];
    const found = fixedLooks(looks, 0.1, 0.01);
    looks.forEach(({ matches, trials }, i) => {
      expect(Math.exp(found.logPs[i] ?? 0)).toBeCloseTo(binomialTail(matches, trials, 0.1), 14);
    });
    expect(found.rejectedAt).toBe(2);
    expect(Math.exp(found.logP)).toBeCloseTo(binomialTail(9, 20, 0.1) * ((Math.PI * 2) ** 2 / 6), 12);
    expect(fixedLooks(looks.slice(0, 1), 0.1, 0.01)).toMatchObject({ rejectedAt: undefined });
    expect(fixedLooks([], 0.1, 0.01)).toEqual({ logPs: [], rejectedAt: undefined, logP: 0 });
    expect(fixedLooks([{ matches: 2000, trials: 2000 }], 0.1, 0.01).logP).toBeCloseTo(
      -2000 * Math.LN10 + Math.log(Math.PI ** 2 / 6),
      8,
    );
  });

  test("looking after each 10 of 200 trials rejects wrongly at most α of the time; the p-value says the same", () => {
    const random = randomStream(17, "looks");
    const runs = 3000;
    for (const [p0, p] of [
      [0.1, 0.1],
      [0.5, 0.45],
    ] as const) {
      let alarms = 0;
      for (let run = 0; run < runs; run++) {
        let matches = 0;
        const looks = Array.from({ length: 20 }, (_, j) => {
          for (let i = 0; i < 10; i++) if (random.uniform() < p) matches += 1;
          return { matches, trials: 10 * (j + 1) };
        });
        const { rejectedAt, logP } = fixedLooks(looks, p0, 0.05);
        expect(rejectedAt !== undefined).toBe(logP <= Math.log(0.05));
        if (rejectedAt !== undefined) alarms += 1;
      }
      expect(clopperPearson(alarms, runs, 0.998)[1]).toBeLessThanOrEqual(0.05);
    }
  });

  test("looks that lose trials, or matches, or misses are refused", () => {
    const first = { matches: 3, trials: 10 };
    for (const second of [
      { matches: 2, trials: 20 },
      { matches: 9, trials: 12 },
      { matches: 3, trials: 9 },
      { matches: 3.5, trials: 20 },
    ]) {
      expect(() => fixedLooks([first, second], 0.1, 0.05)).toThrow(RangeError);
    }
    expect(() => fixedLooks([{ matches: 2, trials: 1 }], 0.1, 0.05)).toThrow(RangeError);
  });
});
