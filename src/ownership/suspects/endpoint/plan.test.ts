import { expect, test } from "vitest";
import { parseEndpoint } from "./config.js";
import { backoff, pacer } from "./pacing.js";
import { planQueries } from "./plan.js";

test("queries, cost and time of what is left to ask", () => {
  const described = parseEndpoint(
    "preset: raw\nurl: https://x.example\ncostPerQuery: 0.002\ncurrency: EUR\nperMinute: 30\nbudget: 100",
    "s.yaml",
    {},
  );
  expect(planQueries(described, { images: 80, decoys: 40, asked: 10, again: 10, paid: 10 })).toMatchObject({
    toSend: 90,
    beyondBudget: 20,
    cost: 0.18,
    currency: "EUR",
    seconds: 180,
  });
  const bare = parseEndpoint("preset: raw\nurl: https://x.example", "s.yaml", {});
  expect(planQueries(bare, { images: 8, decoys: 0, asked: 9, again: 0, paid: 9 })).toMatchObject({
    toSend: 0,
    cost: undefined,
    seconds: undefined,
  });
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
