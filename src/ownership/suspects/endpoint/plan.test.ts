import { expect, test } from "vitest";
import { parseEndpoint } from "./config.js";
import { backoff, pacer } from "./pacing.js";
import { planQueries, smallestPValue } from "./plan.js";

test("queries, cost and time of what is left to ask", () => {
  const described = parseEndpoint(
    "preset: raw\nurl: https://x.example\ncostPerQuery: 0.002\ncurrency: EUR\nperMinute: 30\nbudget: 100",
    "s.yaml",
    {},
  );
  expect(planQueries(described, { images: 80, decoys: 40, asked: 10 })).toMatchObject({
    toSend: 90,
    beyondBudget: 20,
    cost: 0.18,
    currency: "EUR",
    seconds: 180,
  });
  const bare = parseEndpoint("preset: raw\nurl: https://x.example", "s.yaml", {});
  expect(planQueries(bare, { images: 8, decoys: 0, asked: 9 })).toMatchObject({
    toSend: 0,
    cost: undefined,
    seconds: undefined,
  });
});

test("the smallest p: luck alone, pairs, others, and a factor", () => {
  expect(smallestPValue({ triggers: 6, classes: 10 })).toBeCloseTo(1e-6, 12);
  // 20 pairs, all for the trigger: 2^-20, weaker than luck's 1e-20
  expect(smallestPValue({ triggers: 20, classes: 10, placebos: { count: 20, paired: true } })).toBeCloseTo(
    2 ** -20,
    12,
  );
  // 3 against 3: 1 of 20 ways
  expect(smallestPValue({ triggers: 3, classes: 100, placebos: { count: 3, paired: false } })).toBeCloseTo(0.05, 12);
  expect(smallestPValue({ triggers: 1, classes: 10, factor: 30 })).toBe(1);
});

test("waits double up to the longest, and are spread over their upper half", () => {
  expect([1, 2, 3, 4, 5].map((again) => backoff(again, 1, 6, 0))).toEqual([0.5, 1, 2, 3, 3]);
  expect(backoff(3, 1, 6, 0.5)).toBe(3);
});

test("a pause that was asked for holds for everybody", async () => {
  const pace = pacer(undefined);
  await pace.turn();
  pace.hold(0.2);
  const start = performance.now();
  await Promise.all([pace.turn(), pace.turn()]);
  expect(performance.now() - start).toBeGreaterThanOrEqual(195);
});
