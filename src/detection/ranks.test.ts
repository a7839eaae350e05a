/** @file Ranks are exact: a clean model's p-value is at most α in α of all draws, however the detectors hang together. */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { ranked } from "./ranks.js";

test("each rank is (1 + #clean as large) / (N + 1), ties against the suspect", () => {
  const clean = [
    [1, 2, 3, 4],
    [5, 5, 5, 5],
  ];
  expect(ranked([3.5, 5], clean).each).toEqual([2 / 5, 1]);
  expect(ranked([9, 4], clean).each).toEqual([1 / 5, 1]);
});

test("a suspect that leads in every statistic has the least p there is; one that trails in all has 1", () => {
  const clean = [
    [1, 2, 3, 4],
    [4, 3, 2, 1],
  ];
  expect(ranked([9, 9], clean).together).toBe(1 / 5);
  expect(ranked([0, 0], clean).together).toBe(1);
});

test("with one detector, together is what it says alone", () => {
  const clean = [[0.3, 1.2, 5, 0.1, 2]];
  for (const value of [0, 0.2, 1.2, 3, 9]) {
    const { each, together } = ranked([value], clean);
    expect(together).toBe(each[0]);
  }
});

test("clean suspects are called out no more often than said, whether detectors agree or not", () => {
  const N = 39;
  const trials = 2000;
  for (const shared of [0, 0.9]) {
    const random = randomStream(5, String(shared));
    let called = 0;
    for (let trial = 0; trial < trials; trial++) {
      const models = Array.from({ length: N + 1 }, () => {
        const common = random.normal();
        return [0, 1, 2].map(() => shared * common + (1 - shared) * random.normal());
      });
      const [own = [], ...others] = models;
      const clean = own.map((_, d) => others.map((each) => each[d] ?? 0));
      if (ranked(own, clean).together <= 0.05) called += 1;
    }
    // Exactly 2 of 40 ranks: 100 of 2,000 expected, standard deviation 9.7.
    expect(called).toBeGreaterThan(60);
    expect(called).toBeLessThan(140);
  }
});

test("detectors need values of the same models", () => {
  expect(() => ranked([1, 2], [[1], [1, 2]])).toThrow(RangeError);
});
