/** @file WILD's distances against their definitions in double precision, far out too, and their gradients. */

import { describe, expect, test } from "vitest";
import { checkGradient } from "../autodiff/testing/check-gradient.js";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { createSession } from "../runtime/session.js";
import { appendDivergence, type Metric } from "./divergence.js";

type Rows = readonly (readonly number[])[];

async function computed(metric: Metric, clean: Rows, erased: Rows, temperature = 1): Promise<number> {
  const b = graphBuilder("divergence");
  const dims = [clean.length, clean[0]?.length ?? 0];
  b.input("clean", "float32", dims);
  b.input("erased", "float32", dims);
  b.output(appendDivergence(b, metric, "clean", "erased", temperature));
  const session = await createSession(b.build());
  const feeds = new Map([
    ["clean", float32(dims, clean.flat())],
    ["erased", float32(dims, erased.flat())],
  ]);
  const [found] = (await session.run(feeds)).values();
  await session.release();
  expect(found?.dims).toEqual([]);
  return Number(found?.data[0]);
}

/** The definitions, by probabilities: 0 · log 0 is 0. */
const formulas: Readonly<Record<Metric, (f: readonly number[], g: readonly number[], t: number) => number>> = {
  ce(f, g, t) {
    const logQ = logSoftmax(g, t);
    return -logSoftmax(f, t).reduce((sum, logP, i) => sum + Math.exp(logP) * (logQ[i] ?? 0), 0);
  },
  js(f, g, t) {
    const p = logSoftmax(f, t).map(Math.exp);
    const q = logSoftmax(g, t).map(Math.exp);
    const m = p.map((value, i) => (value + (q[i] ?? 0)) / 2);
    return (kl(p, m) + kl(q, m)) / 2;
  },
};

function logSoftmax(scores: readonly number[], temperature: number): number[] {
  const scaled = scores.map((score) => score / temperature);
  const largest = Math.max(...scaled);
  const logSum = largest + Math.log(scaled.reduce((sum, score) => sum + Math.exp(score - largest), 0));
  return scaled.map((score) => score - logSum);
}

function kl(p: readonly number[], q: readonly number[]): number {
  return p.reduce((sum, value, i) => sum + (value === 0 ? 0 : value * Math.log(value / (q[i] ?? 0))), 0);
}

const meanOf = (metric: Metric, clean: Rows, erased: Rows, temperature = 1): number =>
  clean.reduce((sum, row, i) => sum + formulas[metric](row, erased[i] ?? [], temperature), 0) / clean.length;

function drawn(rows: number, columns: number, spread: number, seed: number): number[][] {
  const random = randomStream(seed, "features");
  return Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => Math.fround(spread * random.normal())),
  );
}

describe.each(["ce", "js"] as const)("%s", (metric) => {
  test.each([
    [0.1, 1],
    [1, 1],
    [5, 1],
    [5, 4],
    [1, 0.25],
  ])("features of spread %d at temperature %d agree with the definition", async (spread, temperature) => {
    const [clean, erased] = [drawn(6, 9, spread, 1), drawn(6, 9, spread, 2)];
    const expected = meanOf(metric, clean, erased, temperature);
    const found = await computed(metric, clean, erased, temperature);
    // Sums of float32 numbers up to `expected`, each rounded to 6e-8 relative.
    expect(Math.abs(found - expected)).toBeLessThan(2e-6 * Math.max(1, expected));
  });

  test("features of ±1e4 give finite numbers that agree with the definition", async () => {
    const far: Rows = [
      [1e4, -1e4, 0],
      [-1e4, 1e4, 1e4],
      [1e4, 1e4, 1e4],
    ];
    for (const [clean, erased] of [
      [far, far.toReversed()],
      [far, far],
      [far.slice(0, 1), [[-1e4, 1e4, 0]]],
    ] as const) {
      const expected = meanOf(metric, clean, erased);
      expect(Math.abs((await computed(metric, clean, erased)) - expected)).toBeLessThan(2e-6 * Math.max(1, expected));
    }
  });

  test.each(["both", "erased"] as const)("its gradient by %s agrees with central differences", async (which) => {
    await checkGradient({
      inputs: { clean: { dims: [3, 5], checked: which === "both" }, erased: { dims: [3, 5] } },
      build: (b, { clean, erased }) => appendDivergence(b, metric, clean, erased, 1.5),
    });
  });
});

describe("Jensen-Shannon", () => {
  test("is symmetric, and zero for equal features", async () => {
    const [clean, erased] = [drawn(5, 7, 2, 3), drawn(5, 7, 2, 4)];
    expect(await computed("js", clean, erased)).toBeCloseTo(await computed("js", erased, clean), 6);
    expect(Math.abs(await computed("js", clean, clean))).toBeLessThan(2e-7);
  });

  test("does not feel a constant added to all features", async () => {
    const [clean, erased] = [drawn(5, 7, 2, 3), drawn(5, 7, 2, 4)];
    const shifted = erased.map((row) => row.map((value) => value + 8));
    expect(await computed("js", clean, shifted)).toBeCloseTo(await computed("js", clean, erased), 5);
  });

  test("lies in [0, ln 2] and reaches ln 2 for distributions that share nothing", async () => {
    // One rounding of ln 2 in float32 beyond either end.
    const slack = 2e-7;
    for (const spread of [0.01, 1, 30, 1e4]) {
      const found = await computed("js", drawn(8, 4, spread, 5), drawn(8, 4, spread, 6));
      expect(found).toBeGreaterThanOrEqual(-slack);
      expect(found).toBeLessThanOrEqual(Math.LN2 + slack);
    }
    expect(await computed("js", [[1e4, 0]], [[0, 1e4]])).toBeCloseTo(Math.LN2, 6);
  });
});

test("cross-entropy is at least the entropy of the clean distribution, and equals it for equal features", async () => {
  const [clean, erased] = [drawn(5, 7, 2, 3), drawn(5, 7, 2, 4)];
  const entropy = meanOf("ce", clean, clean);
  expect(await computed("ce", clean, clean)).toBeCloseTo(entropy, 5);
  expect(await computed("ce", clean, erased)).toBeGreaterThan(entropy);
});
