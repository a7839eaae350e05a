/**
 * @file The e-processes: exactly over all outcomes of a few trials, by simulation over many, and against the number of
 * triggers that a proof is said to need. Values to full precision are in statistics.test.ts.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  anytimeLogP,
  anytimePValue,
  bettingEProcess,
  differenceEProcess,
  type EProcess,
  logBet,
  mixtureEProcess,
  mixtureLogE,
  pairedEProcess,
  stoppedLogE,
  stoppingTime,
} from "./e-process.js";
import { type RandomStream, randomStream } from "./random.js";
import { logBinomialDensity } from "./special.js";
import { binomialTail, clopperPearson } from "./statistics.js";

/** All 2ⁿ outcomes of n trials. */
function* outcomes(n: number): Generator<readonly boolean[]> {
  for (let pattern = 0; pattern < 2 ** n; pattern++) {
    yield Array.from({ length: n }, (_, i) => ((pattern >> i) & 1) === 1);
  }
}

/** The mean of a function of the outcomes when trial s matches with probability chances[s], summed over all of them. */
function mean(chances: readonly number[], of: (matched: readonly boolean[]) => number): number {
  let sum = 0;
  for (const matched of outcomes(chances.length)) {
    sum += matched.reduce((p, isMatch, s) => p * (isMatch ? (chances[s] ?? 0) : 1 - (chances[s] ?? 0)), of(matched));
  }
  return sum;
}

const repeat = (p: number, n: number): readonly number[] => new Array<number>(n).fill(p);

const draw = (n: number, p: number, random: RandomStream): readonly boolean[] =>
  Array.from({ length: n }, () => random.uniform() < p);

/** Sums of 2¹⁰ products of ten factors: rounding of some 1e-13 at most. */
const EXACT = 1e-12;

/** p₀, and how far below it the truth lies. */
const chance = fc.double({ min: 0.01, max: 0.95, noNaN: true });
const share = fc.double({ min: 0, max: 1, noNaN: true });

const processes: Readonly<Record<string, (matched: readonly boolean[], p0: number) => EProcess>> = {
  betting: bettingEProcess,
  mixture: mixtureEProcess,
};

describe.each(Object.entries(processes))("the %s e-process", (_, process) => {
  const N = 8;

  test("has mean exactly 1 at p₀ and at most 1 below it, over all outcomes, at every step", () => {
    fc.assert(
      fc.property(chance, share, (p0, fraction) => {
        for (let n = 1; n <= N; n += 3) {
          const e = (matched: readonly boolean[]): number => Math.exp(process(matched, p0).logE);
          expect(Math.abs(mean(repeat(p0, n), e) - 1)).toBeLessThanOrEqual(EXACT);
          expect(mean(repeat(p0 * fraction, n), e)).toBeLessThanOrEqual(1 + EXACT);
        }
      }),
      { numRuns: 10, seed: 1 },
    );
  });

  test("above p₀ the mean is larger than 1: it has power", () => {
    expect(mean(repeat(0.5, N), (matched) => Math.exp(process(matched, 0.1).logE))).toBeGreaterThan(10);
  });

  test("reaches 1/α with probability at most α, summed over all outcomes, for a chance that moves below p₀", () => {
    fc.assert(
      fc.property(chance, fc.array(share, { minLength: N, maxLength: N }), (p0, fractions) => {
        const truths = fractions.map((fraction) => p0 * fraction);
        for (const alpha of [0.5, 0.1, 0.02]) {
          for (const chances of [truths, repeat(p0, N)]) {
            const reached = mean(chances, (matched) =>
              stoppingTime(process(matched, p0), alpha) === undefined ? 0 : 1,
            );
            expect(reached).toBeLessThanOrEqual(alpha + EXACT);
          }
        }
      }),
      { numRuns: 10, seed: 2 },
    );
  });

  test("stopped early it is an e-value, which its maximum is not", () => {
    const p0 = 0.3;
    const stopped = mean(repeat(p0, N), (matched) => Math.exp(stoppedLogE(process(matched, p0), 0.1)));
    expect(Math.abs(stopped - 1)).toBeLessThanOrEqual(EXACT);
    expect(mean(repeat(p0, N), (matched) => Math.exp(process(matched, p0).logMax))).toBeGreaterThan(1.2);
  });

  test("false alarms with a look after each of 100 answers: at most α, at p₀ and below", () => {
    const random = randomStream(17, "false alarms");
    const runs = 2000;
    for (const [p0, p] of [
      [0.1, 0.1],
      [0.1, 0.07],
      [0.5, 0.5],
    ] as const) {
      const alarms = { 0.05: 0, 0.01: 0 };
      for (let run = 0; run < runs; run++) {
        const logP = anytimeLogP(process(draw(100, p, random), p0));
        if (logP <= Math.log(0.05)) alarms[0.05] += 1;
        if (logP <= Math.log(0.01)) alarms[0.01] += 1;
      }
      // Intervals of 99.8 %. At 0.05 all of it lies below α. At 0.01, where the runs count few alarms, it must reach
      // below: 33 alarms of 2,000 would not.
      expect(clopperPearson(alarms[0.05], runs, 0.998)[1], `p₀ ${p0}, p ${p}`).toBeLessThanOrEqual(0.05);
      expect(clopperPearson(alarms[0.01], runs, 0.998)[0], `p₀ ${p0}, p ${p}`).toBeLessThanOrEqual(0.01);
    }
  });

  test("far out: 10,000 of 10,000 against 1 in 10 is near the likelihood ratio, and nothing overflows", () => {
    const sure = process(new Array<boolean>(10_000).fill(true), 0.1);
    expect(sure.logE).toBeGreaterThan(22_900);
    expect(sure.logE).toBeLessThan(10_000 * Math.LN10);
    expect(anytimeLogP(sure)).toBe(-sure.logMax);
    expect(anytimePValue(sure)).toBe(0);
    const never = process(new Array<boolean>(10_000).fill(false), 0.1);
    expect(Number.isFinite(never.logE)).toBe(true);
    expect(never.logE).toBeLessThan(0);
    expect(anytimePValue(never)).toBe(1);
  });

  test("without trials, or where every match is certain, there is no evidence", () => {
    expect(process([], 0.1)).toEqual({ path: [], logE: 0, logMax: 0 });
    expect(process([true, true, false], 1)).toMatchObject({ logE: 0, logMax: 0 });
  });

  test("no chance at all, or none that is one, is refused", () => {
    for (const p0 of [0, -0.1, 1.1, Number.NaN]) expect(() => process([true], p0)).toThrow(RangeError);
  });
});

describe("the betting e-process", () => {
  test("a match multiplies by q/p₀, a miss by (1 − q)/(1 − p₀), q = (matches + ½)/step", () => {
    const found = bettingEProcess([true, true, false, true], 0.1);
    const factors = [0.5 / 0.1, 0.75 / 0.1, (1 - 2.5 / 3) / 0.9, 2.5 / 4 / 0.1];
    let product = 1;
    factors.forEach((factor, s) => {
      product *= factor;
      expect(found.path[s]).toBeCloseTo(Math.log(product), 12);
    });
  });

  test("with a chance for each trial it has mean 1 where all are met, at most 1 where none is exceeded", () => {
    const chances = fc.array(chance, { minLength: 7, maxLength: 7 });
    fc.assert(
      fc.property(chances, share, (p0s, fraction) => {
        const e = (matched: readonly boolean[]): number => Math.exp(bettingEProcess(matched, p0s).logE);
        expect(Math.abs(mean(p0s, e) - 1)).toBeLessThanOrEqual(EXACT);
        expect(
          mean(
            p0s.map((p0) => p0 * fraction),
            e,
          ),
        ).toBeLessThanOrEqual(1 + EXACT);
      }),
      { numRuns: 10, seed: 3 },
    );
  });

  test("as many chances as trials, or it is refused", () => {
    expect(() => bettingEProcess([true, false], [0.1])).toThrow(/2 trials need as many null chances, got 1/);
    expect(() => logBet(3, 2, true, 0.1)).toThrow(RangeError);
  });

  /**
   * Triggers until a proof at 1e-3 and 1e-6 with 10 classes: medians of another simulation. Of 2,001 runs the median of
   * waits as spread as those at 30 % is off by some 2 to 3 (1.25 deviations / √runs), so is the table's; at 100 % there
   * is no chance in it.
   */
  test.each([
    [1, 4, 7, 0],
    [0.8, 6, 11, 0],
    [0.5, 15, 29, 1],
    [0.3, 53, 100, 6],
  ])(
    "a mark kept to %d is shown after %d triggers at 1e-3, %d at 1e-6 in the median of runs",
    (p, few, many, within) => {
      const random = randomStream(17, "power", String(p));
      const runs = Array.from({ length: 2001 }, () => bettingEProcess(draw(300, p, random), 0.1));
      const median = (alpha: number): number =>
        runs.map((run) => stoppingTime(run, alpha) ?? Infinity).toSorted((a, b) => a - b)[1000] ?? Number.NaN;
      expect(Math.abs(median(1e-3) - few)).toBeLessThanOrEqual(within);
      expect(Math.abs(median(1e-6) - many)).toBeLessThanOrEqual(within);
    },
  );
});

/**
 * The chance that the mixture first reaches 1/α at step 1, 2, … n when trials match with chance p: exact, since the
 * mixture depends on trials and matches alone.
 */
function crossings(p0: number, p: number, alpha: number, n: number): readonly number[] {
  // alive[k]: the chance of k matches so far without having crossed.
  let alive = [1];
  return Array.from({ length: n }, (_, before) => {
    const next = new Array<number>(before + 2).fill(0);
    alive.forEach((weight, k) => {
      next[k] = (next[k] ?? 0) + weight * (1 - p);
      next[k + 1] = (next[k + 1] ?? 0) + weight * p;
    });
    let crossed = 0;
    alive = next.map((weight, k) => {
      if (weight === 0 || mixtureLogE(k, before + 1, p0) < -Math.log(alpha)) return weight;
      crossed += weight;
      return 0;
    });
    return crossed;
  });
}

describe("the mixture", () => {
  test("is the integral of the likelihood ratio over the shares above p₀", () => {
    for (const [k, n, p0] of [
      [3, 10, 0.1],
      [0, 12, 0.4],
      [17, 20, 0.5],
    ] as const) {
      // Simpson's rule on 2,000 parts of a polynomial of degree 20: exact to some 1e-10.
      const parts = 2000;
      let sum = 0;
      for (let i = 0; i <= parts; i++) {
        const q = p0 + ((1 - p0) * i) / parts;
        const weight = i === 0 || i === parts ? 1 : i % 2 === 1 ? 4 : 2;
        sum += weight * (q / p0) ** k * ((1 - q) / (1 - p0)) ** (n - k);
      }
      expect(mixtureLogE(k, n, p0)).toBeCloseTo(Math.log(sum / (3 * parts)), 8);
    }
  });

  test(
    "looked at after each of 400 trials it crosses 1/α with probability at most α: the exact sum over " + "all paths",
    () => {
      for (const [p0, p] of [
        [0.1, 0.1],
        [0.1, 0.05],
        [0.5, 0.5],
      ] as const) {
        for (const alpha of [0.05, 0.01, 1e-3]) {
          const crossed = crossings(p0, p, alpha, 400).reduce((sum, each) => sum + each, 0);
          expect(crossed).toBeLessThanOrEqual(alpha);
          expect(crossed).toBeGreaterThan(0);
        }
      }
    },
  );

  test.each([
    [1, 4, 7],
    [0.8, 6, 11],
    [0.5, 15, 29],
    [0.3, 50, 98],
  ])("a mark kept to %d is shown after %d triggers at 1e-3, %d at 1e-6 in half of all cases: exact", (p, few, many) => {
    for (const [alpha, steps] of [
      [1e-3, few],
      [1e-6, many],
    ] as const) {
      const chances = crossings(0.1, p, alpha, steps);
      expect(chances.reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(0.5);
      expect(chances.slice(0, -1).reduce((sum, each) => sum + each, 0)).toBeLessThan(0.5);
    }
  });

  test(
    "is no larger than the best likelihood ratio, and never beats the exact test of a fixed number " + "of trials",
    () => {
      for (const [k, n, p0] of [
        [30, 100, 0.1],
        [100, 100, 0.1],
        [60, 100, 0.5],
      ] as const) {
        const best = logBinomialDensity(k, n, k / n, 1 - k / n) - logBinomialDensity(k, n, p0, 1 - p0);
        expect(mixtureLogE(k, n, p0)).toBeLessThan(best);
        expect(-mixtureLogE(k, n, p0)).toBeGreaterThan(Math.log(binomialTail(k, n, p0)));
      }
    },
  );

  test("counts that cannot be are refused", () => {
    expect(() => mixtureLogE(3, 2, 0.1)).toThrow(RangeError);
    expect(() => mixtureLogE(1.5, 2, 0.1)).toThrow(RangeError);
    expect(() => mixtureLogE(1, 2, 1)).toThrow(RangeError);
    expect(mixtureLogE(0, 0, 0.1)).toBe(0);
  });
});

describe("pairs", () => {
  const win = { mark: true, placebo: false };
  const loss = { mark: false, placebo: true };
  const both = { mark: true, placebo: true };
  const neither = { mark: false, placebo: false };

  test("concordant pairs leave E as it was; wins and losses are bets on ½", () => {
    for (const by of ["betting", "mixture"] as const) {
      const found = pairedEProcess([both, win, neither, win, loss, both], by);
      const alone = (by === "betting" ? bettingEProcess : mixtureEProcess)([true, true, false], 0.5);
      const [first = Number.NaN, second = Number.NaN, third = Number.NaN] = alone.path;
      expect(found.path).toEqual([0, first, first, second, third, third]);
      expect(found).toMatchObject({ wins: 2, losses: 1, logE: alone.logE, logMax: alone.logMax });
    }
  });

  test("the mixture needs 9 wins without a loss for 1e-2, 13 for 1e-3", () => {
    const wins = pairedEProcess(new Array<typeof win>(20).fill(win), "mixture");
    expect(stoppingTime(wins, 1e-2)).toBe(9);
    expect(stoppingTime(wins, 1e-3)).toBe(13);
  });

  test("a suspect that answers marked and unmarked images alike is no evidence, however often it matches", () => {
    expect(pairedEProcess(new Array<typeof both>(100).fill(both))).toMatchObject({ logE: 0, logMax: 0, wins: 0 });
  });
});

describe("differences", () => {
  test("the mean is 1 where the mean difference is 0, at most 1 below: over all draws of three values", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 1, noNaN: true }), share, (high, shift) => {
        // −0.4, 0 and `high`, weighed so that their mean is −shift/20 or, with shift 0, exactly 0.
        for (const drift of [0, shift / 20]) {
          const up = (0.4 * 0.5 - drift) / (high + 0.4);
          const values = [
            [high, up],
            [0, 0.5],
            [-0.4, 0.5 - up],
          ] as const;
          let sum = 0;
          for (const [a, pa] of values)
            for (const [b, pb] of values)
              for (const [c, pc] of values)
                for (const [d, pd] of values) {
                  sum += pa * pb * pc * pd * Math.exp(differenceEProcess([a, b, c, d]).logE);
                }
          if (drift === 0) expect(Math.abs(sum - 1)).toBeLessThanOrEqual(EXACT);
          else expect(sum).toBeLessThanOrEqual(1 + EXACT);
        }
      }),
      { numRuns: 10, seed: 5 },
    );
  });

  test("false alarms with a look after each answer stay at or below α; a small steady gain is found", () => {
    const random = randomStream(17, "differences");
    const runs = 600;
    const alarms = (shift: number): number => {
      let count = 0;
      for (let run = 0; run < runs; run++) {
        const differences = Array.from(
          { length: 60 },
          () => (1 - Math.abs(shift)) * (2 * random.uniform() - 1) + shift,
        );
        if (anytimePValue(differenceEProcess(differences)) <= 0.05) count += 1;
      }
      return count;
    };
    expect(clopperPearson(alarms(0), runs, 0.998)[1]).toBeLessThanOrEqual(0.05);
    expect(clopperPearson(alarms(-0.05), runs, 0.998)[1]).toBeLessThanOrEqual(0.05);
    expect(clopperPearson(alarms(0.3), runs, 0.998)[0]).toBeGreaterThan(0.9);
  });

  test("what is no difference of shares is refused", () => {
    for (const d of [1.01, -1.01, Number.NaN]) expect(() => differenceEProcess([d])).toThrow(RangeError);
  });
});

test("stopping: the first step at 1/α, the value there, and what was never reached", () => {
  const path = bettingEProcess([true, true, true, true, false, false], 0.1);
  expect(stoppingTime(path, 1e-3)).toBe(4);
  expect(stoppedLogE(path, 1e-3)).toBe(path.path[3]);
  expect(path.logE).toBeLessThan(path.logMax);
  expect(stoppingTime(path, 1e-6)).toBeUndefined();
  expect(stoppedLogE(path, 1e-6)).toBe(path.logE);
  expect(stoppingTime(path, 1)).toBe(0);
  expect(stoppedLogE(path, 1)).toBe(0);
  for (const alpha of [0, 1.5, Number.NaN]) expect(() => stoppingTime(path, alpha)).toThrow(RangeError);
});
