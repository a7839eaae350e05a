/**
 * @file The statistics of a certificate: by hand, against SciPy 1.17 (binom.sf, beta.ppf, norm), and where the true
 * answer is known.
 */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { normalCdf, normalQuantile } from "../core/special.js";
import { certifiedRadius, certifiedRetention, lowerOrderStatistic } from "./certificate.js";

describe("the order statistic below a percentile", () => {
  test("by hand: the smallest of n samples is at most the median unless all lie above it, 1 time in 2^n", () => {
    expect(lowerOrderStatistic(4, 0.5, 0.95)).toBe(0);
    expect(lowerOrderStatistic(5, 0.5, 0.95)).toBe(1);
    expect(lowerOrderStatistic(5, 0.5, 1 - 1 / 32)).toBe(1);
    // 6 of 64 have one or none of six below.
    expect(lowerOrderStatistic(6, 0.5, 57 / 64)).toBe(2);
    expect(lowerOrderStatistic(6, 0.5, 57 / 64 + 1e-9)).toBe(1);
  });

  test.each([
    [1000, 0.5, 0.99, 463],
    [1000, 0.15865525393145707, 0.99, 132],
    [10_000, 0.022750131948179195, 0.999, 183],
    [20, 0.5, 0.95, 6],
    [20, 0.1, 0.99, 0],
    [100, 0.42074029056089696, 0.999, 27],
    [10, 1, 0.99, 10],
    [10, 0, 0.99, 0],
  ])("of %i draws, percentile %d, confidence %d: SciPy says %i", (draws, percentile, confidence, expected) => {
    expect(lowerOrderStatistic(draws, percentile, confidence)).toBe(expected);
  });
});

describe("the radius", () => {
  /** `below` of `draws` retain 0.2, the others 0.9. */
  const seen = (draws: number, below: number): number[] =>
    Array.from({ length: draws }, (_, i) => (i < below ? 0.2 : 0.9));

  test("by hand: of ten draws none below, the limit is 1 − 0.05^(1/10)", () => {
    const found = certifiedRadius(seen(10, 0), 0.5, { sigma: 2, confidence: 0.95 });
    expect(found).toBeCloseTo(-2 * normalQuantile(1 - 0.05 ** 0.1), 10);
    expect(found).toBeCloseTo(1.2936935939622698, 10);
  });

  test.each([
    [1000, 0, 1, 0.99, 2.6049351418115667],
    [1000, 37, 0.5, 0.99, 0.806657085005479],
    [100, 30, 1, 0.999, 0.10911371188280175],
  ])("%i draws, %i below, σ %d, confidence %d: SciPy says %d", (draws, below, sigma, confidence, expected) => {
    expect(certifiedRadius(seen(draws, below), 0.5, { sigma, confidence })).toBeCloseTo(expected, 8);
  });

  test("there is none where the median itself may lie below", () => {
    expect(certifiedRadius(seen(100, 45), 0.5, { sigma: 1, confidence: 0.99 })).toBeUndefined();
    expect(certifiedRadius(seen(100, 100), 0.5, { sigma: 1, confidence: 0.99 })).toBeUndefined();
    expect(certifiedRadius(seen(3, 0), 0.5, { sigma: 1, confidence: 0.99 })).toBeUndefined();
  });

  test("is where the bound reaches the retention asked for, and no further", () => {
    const random = randomStream(4);
    const retentions = Array.from({ length: 300 }, () => Math.round(100 * normalCdf(1 + random.normal())) / 100);
    for (const least of [0.3, 0.5, 0.7]) {
      const smoothing = { sigma: 0.3, confidence: 0.99 };
      const radius = certifiedRadius(retentions, least, smoothing) ?? Number.NaN;
      expect(certifiedRetention(retentions, radius * 0.9999, smoothing)).toBeGreaterThanOrEqual(least);
      expect(certifiedRetention(retentions, radius * 1.0001, smoothing)).toBeLessThan(least);
    }
  });
});

describe("the bound", () => {
  test("falls with the radius and with the confidence, and is 0 where nothing is certified", () => {
    const retentions = Array.from({ length: 200 }, (_, i) => i / 200);
    const at = (radius: number, confidence = 0.99): number =>
      certifiedRetention(retentions, radius, { sigma: 1, confidence });
    const bounds = [0, 0.5, 1, 1.5, 2, 4].map((radius) => at(radius));
    expect(bounds).toEqual(bounds.toSorted((a, b) => b - a));
    expect(at(0)).toBeLessThan(0.5);
    expect(at(0, 0.999)).toBeLessThan(at(0, 0.9));
    expect(at(4)).toBe(0);
  });

  test("holds at the worst move as often as it says, and is near to what is true", () => {
    // Retention Φ(u · θ) for a unit vector u, θ one unit along it: moved by r against u the median is Φ(1 − r), and no
    // move of that length makes it less. Only the noise along u matters.
    const [sigma, radius, confidence] = [0.7, 0.6, 0.9];
    const truth = normalCdf(1 - radius);
    const random = randomStream(5);
    const bounds = Array.from({ length: 600 }, () => {
      const retentions = Array.from({ length: 200 }, () => normalCdf(1 + sigma * random.normal()));
      return certifiedRetention(retentions, radius, { sigma, confidence });
    });
    const wrong = bounds.filter((bound) => bound > truth).length / bounds.length;
    // One in ten may be wrong; four standard errors of 600 trials are 0.05. Exact tests on counts are a little
    // cautious.
    expect(wrong).toBeLessThan(0.15);
    expect(wrong).toBeGreaterThan(0.02);
    const mean = bounds.reduce((sum, bound) => sum + bound, 0) / bounds.length;
    expect(truth - mean).toBeGreaterThan(0);
    expect(truth - mean).toBeLessThan(0.1);
  });
});
