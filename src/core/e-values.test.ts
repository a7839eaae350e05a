/** @file Combining e-values: by hand, and by simulating keys and suspects of which some are innocent. */

import { describe, expect, test } from "vitest";
import { bettingEProcess, stoppedLogE } from "./e-process.js";
import { eBenjaminiHochberg, logMeanOfEValues, logPOfEValue, logProductOfEValues } from "./e-values.js";
import { type RandomStream, randomStream } from "./random.js";
import { clopperPearson } from "./statistics.js";

const logs = (...es: readonly number[]): readonly number[] => es.map(Math.log);

const draw = (n: number, p: number, random: RandomStream): readonly boolean[] =>
  Array.from({ length: n }, () => random.uniform() < p);

describe("several keys", () => {
  test("the product of independent ones, the mean of any", () => {
    expect(logProductOfEValues(logs(2, 5, 0.5))).toBeCloseTo(Math.log(5), 14);
    expect(logMeanOfEValues(logs(2, 5, 0.5))).toBeCloseTo(Math.log(2.5), 14);
    expect(logProductOfEValues([])).toBe(0);
    expect(logMeanOfEValues([])).toBe(0);
  });

  test("far beyond what a double holds, and with an e-value of 0", () => {
    expect(logProductOfEValues([5000, 7000])).toBe(12_000);
    expect(logMeanOfEValues([5000, 7000])).toBeCloseTo(7000 - Math.log(2), 10);
    expect(logMeanOfEValues([-5000, -7000])).toBeCloseTo(-5000 - Math.log(2), 10);
    expect(logProductOfEValues([3, -Infinity])).toBe(-Infinity);
    expect(logMeanOfEValues([3, -Infinity])).toBeCloseTo(3 - Math.log(2), 14);
    expect(logMeanOfEValues([-Infinity, -Infinity])).toBe(-Infinity);
  });

  test("the p-value of an e-value is 1/E, at most 1", () => {
    expect(logPOfEValue(Math.log(20))).toBe(-Math.log(20));
    expect(logPOfEValue(-3)).toBe(0);
    expect(logPOfEValue(-Infinity)).toBe(0);
  });

  test("keys stopped early combine honestly: false alarms of the product and of the mean stay at or below α", () => {
    const random = randomStream(17, "keys");
    const runs = 2000;
    const alarms = { product: 0, mean: 0, copies: 0 };
    for (let run = 0; run < runs; run++) {
      const es = Array.from({ length: 3 }, () => stoppedLogE(bettingEProcess(draw(60, 0.1, random), 0.1), 0.05));
      if (logPOfEValue(logProductOfEValues(es)) <= Math.log(0.05)) alarms.product += 1;
      if (logPOfEValue(logMeanOfEValues(es)) <= Math.log(0.05)) alarms.mean += 1;
      // The same key under three names: the mean is not moved by it.
      const [one = Number.NaN] = es;
      if (logPOfEValue(logMeanOfEValues([one, one, one])) <= Math.log(0.05)) alarms.copies += 1;
    }
    for (const count of Object.values(alarms)) expect(clopperPearson(count, runs, 0.998)[1]).toBeLessThanOrEqual(0.05);
  });

  test("two keys that are weak alone are strong together", () => {
    const weak = bettingEProcess([true, true, false], 0.1).logE;
    expect(logPOfEValue(weak)).toBeGreaterThan(Math.log(0.05));
    expect(logPOfEValue(logProductOfEValues([weak, weak]))).toBeLessThan(Math.log(0.05));
  });
});

describe("many suspects: e-BH", () => {
  test("rejects the k largest with e₍ₖ₎ ≥ m/(αk)", () => {
    // m = 5, α = 0.1: 50, 25, 16.7, 12.5, 10
    expect(eBenjaminiHochberg(logs(60, 1, 0.2, 3, 2), 0.1)).toEqual([0]);
    expect(eBenjaminiHochberg(logs(40, 1, 0.2, 3, 2), 0.1)).toEqual([]);
    expect(eBenjaminiHochberg(logs(1, 26, 0.2, 3, 30), 0.1)).toEqual([1, 4]);
    // The third lifts the two that would not do alone.
    expect(eBenjaminiHochberg(logs(20, 1, 18, 17, 0), 0.1)).toEqual([0, 2, 3]);
    expect(eBenjaminiHochberg(logs(11, 11, 11, 11, 11), 0.1)).toEqual([0, 1, 2, 3, 4]);
    expect(eBenjaminiHochberg([], 0.1)).toEqual([]);
    expect(eBenjaminiHochberg([9000, 0, 8000], 1e-300)).toEqual([0, 2]);
  });

  test("of one suspect it is the test at α", () => {
    expect(eBenjaminiHochberg(logs(20.001), 0.05)).toEqual([0]);
    expect(eBenjaminiHochberg(logs(19.999), 0.05)).toEqual([]);
  });

  test.each([
    ["independent", false],
    ["answering alike", true],
  ])(
    "keeps the share of innocents among those named at or below α: 15 innocent suspects, %s, beside 5 with the mark",
    (_, isAlike) => {
      const random = randomStream(17, "suspects", String(isAlike));
      const alpha = 0.1;
      const runs = 800;
      const shares: number[] = [];
      let found = 0;
      for (let run = 0; run < runs; run++) {
        const shared = draw(40, 0.1, random);
        const innocent = (): readonly boolean[] => (isAlike ? shared : draw(40, 0.1, random));
        const es = Array.from({ length: 20 }, (_, i) =>
          stoppedLogE(bettingEProcess(i < 15 ? innocent() : draw(40, 0.7, random), 0.1), alpha / 20),
        );
        const named = eBenjaminiHochberg(es, alpha);
        shares.push(named.filter((i) => i < 15).length / Math.max(1, named.length));
        found += named.filter((i) => i >= 15).length;
      }
      const mean = shares.reduce((sum, share) => sum + share, 0) / runs;
      const deviation = Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / (runs - 1));
      // Three standard errors of the mean over the runs.
      expect(mean + (3 * deviation) / Math.sqrt(runs)).toBeLessThanOrEqual(alpha);
      expect(found / (5 * runs)).toBeGreaterThan(0.95);
    },
  );
});

test("what is no e-value is refused", () => {
  for (const wrong of [Number.NaN, Infinity]) {
    expect(() => logProductOfEValues([0, wrong])).toThrow(RangeError);
    expect(() => logMeanOfEValues([0, wrong])).toThrow(RangeError);
    expect(() => eBenjaminiHochberg([0, wrong], 0.1)).toThrow(RangeError);
  }
  for (const alpha of [0, 1.1, Number.NaN]) expect(() => eBenjaminiHochberg([0], alpha)).toThrow(RangeError);
});
