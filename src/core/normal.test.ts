/** @file The normal distribution against SciPy 1.17 (scipy.stats.norm.cdf, .ppf), and as inverses of each other. */

import { expect, test } from "vitest";
import { normalCdf, normalQuantile } from "./special.js";

/** Rounding of an exponent of up to 690 is 690 · 2^-52 ≈ 1.5e-13. */
const RELATIVE = 1e-12;

test.each([
  [0, 0.5],
  [-0.5, 0.3085375387259869],
  [1.3, 0.9031995154143897],
  // On either side of where the series ends and the fraction begins.
  [-1.999, 0.02280417693265888],
  [-2.001, 0.02269619494564154],
  [5, 0.9999997133484281],
  [-6, 9.865876450376946e-10],
  [-20, 2.7536241186061556e-89],
  [-37, 5.7255712225239266e-300],
  [-Infinity, 0],
  [Infinity, 1],
])("Φ(%d) = %d", (x, expected) => {
  expect(Math.abs(normalCdf(x) - expected)).toBeLessThanOrEqual(RELATIVE * expected);
});

test.each([
  [0.5, 0],
  [0.3, -0.5244005127080409],
  [0.025, -1.9599639845400545],
  [0.9, 1.2815515655446004],
  [0.999, 3.090232306167813],
  [1e-10, -6.361340902404056],
  [1e-300, -37.0470962993612],
  [0, -Infinity],
  [1, Infinity],
])("the quantile of %d is %d", (p, expected) => {
  if (Number.isFinite(expected)) expect(normalQuantile(p)).toBeCloseTo(expected, 12);
  else expect(normalQuantile(p)).toBe(expected);
});

test("each undoes the other", () => {
  for (let x = -8; x <= 4; x += 0.37) expect(normalQuantile(normalCdf(x))).toBeCloseTo(x, 10);
});

test("what is no probability is refused", () => {
  for (const p of [-0.1, 1.1, Number.NaN]) expect(() => normalQuantile(p)).toThrow(RangeError);
  expect(() => normalCdf(Number.NaN)).toThrow(RangeError);
});
