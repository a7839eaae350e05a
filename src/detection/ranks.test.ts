/** @file Ranks are exact: a clean model's p-value is at most α in α of all draws, however the detectors hang together. */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { leadsOf, type Measurement, ranked } from "./ranks.js";

/** A model in which a class measures so much, and the others nothing. */
const only = (label: number, value: number): Measurement => ({
  value,
  classes: [0, 1, 2].map((each) => (each === label ? value : 0)),
});

test("published values are ranked as (1 + #clean as large) / (N + 1), ties against the suspect", () => {
  const clean = [[1, 2, 3, 4].map((value) => only(0, value)), [5, 5, 5, 5].map((value) => only(0, value))];
  const published = (a: number, b: number) =>
    ranked([only(0, a), only(0, b)], clean).each.map((each) => each.published);
  expect(published(3.5, 5)).toEqual([2 / 5, 1]);
  expect(published(9, 4)).toEqual([1 / 5, 1]);
});

test("leads are deviations above the class's median, less those of the next class (NumPy)", () => {
  // D = X - numpy.median(X, 0); D / maximum(1.4826 * numpy.median(abs(D), 0), 0.1 * D.std()); top minus second by row.
  const leads = leadsOf([
    [1, 2, 9],
    [2, 2, 3],
    [3, 8, 3],
    [4, 5, 6.5],
    [2.5, 4, 1],
  ]);
  expect(leads.map(({ target }) => target)).toEqual([2, 2, 1, 0, 0]);
  const expected = [2.697963037906381, 0.6744907594765952, 0.6744907594765952, 0.8431134493457442, 0];
  leads.forEach(({ lead }, i) => void expect(lead).toBeCloseTo(expected[i] ?? Number.NaN, 9));
});

test("where all models measure the same, nobody leads", () => {
  expect(
    leadsOf([
      [1, 2],
      [1, 2],
      [1, 2],
    ]),
  ).toEqual(new Array(3).fill({ lead: 0, target: 0 }));
});

test("a class that leads in every clean model too does not count, another one does", () => {
  const random = randomStream(4);
  const usual = (): Measurement => ({ value: 9, classes: [9 + random.uniform(), random.uniform(), random.uniform()] });
  const clean = [Array.from({ length: 19 }, usual)];
  const odd = ranked([{ value: 9, classes: [9.5, 0.5, 3] }], clean);
  expect(odd.each[0]).toMatchObject({ published: 1, byClass: 1 / 20, target: 2 });
  expect([odd.together, odd.target]).toEqual([1 / 20, 2]);
});

test("what moves all classes by as many deviations does not count", () => {
  // The same nineteen numbers in every class, in another order in each.
  const model = (i: number, more: number): Measurement => ({
    value: 0,
    classes: [1, 7, 11].map((step) => more + ((i * step) % 19)),
  });
  const clean = [Array.from({ length: 19 }, (_, i) => model(i, 0))];
  expect(ranked([model(0, 500)], clean).together).toBe(1);
});

test("clean suspects are called out no more often than said, whether detectors agree or not", () => {
  const N = 39;
  const trials = 600;
  for (const shared of [0, 0.9]) {
    const random = randomStream(5, String(shared));
    const measure = (common: readonly number[]): Measurement => {
      const classes = common.map((value) => shared * value + (1 - shared) * random.normal());
      return { value: Math.max(...classes), classes };
    };
    let called = 0;
    for (let trial = 0; trial < trials; trial++) {
      const models = Array.from({ length: N + 1 }, () => {
        const common = [random.normal(), random.normal(), 2 * random.normal()];
        return [0, 1, 2].map(() => measure(common));
      });
      const [own = [], ...others] = models;
      const clean = own.map((_, d) => others.flatMap((each) => each[d] ?? []));
      if (ranked(own, clean).together <= 0.05) called += 1;
    }
    // 2 of 40 ranks: 30 of 600 expected, standard deviation 5.3.
    expect(called).toBeGreaterThan(10);
    expect(called).toBeLessThan(50);
  }
});

test("detectors need measurements of the same models", () => {
  expect(() => ranked([only(0, 1), only(0, 1)], [[only(0, 1)], []])).toThrow(RangeError);
});
