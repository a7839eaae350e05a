/** @file Every gradient rule against central differences; a rule that nobody checks fails here too. */

import { describe, expect, test } from "vitest";
import { gradientCases } from "../testing/gradient-cases.js";
import { gradientRules, nonDifferentiable } from "./index.js";

for (const [operator, cases] of Object.entries(gradientCases)) {
  describe(operator, () => {
    test.each(cases)("$title", async ({ run }) => {
      const { operators } = await run();
      expect(operators).toContain(operator);
    });
  });
}

test.each(Object.keys(gradientRules))(
  "the rule of %s is checked at least twice, with titles that differ",
  (operator) => {
    const titles = new Set((gradientCases[operator] ?? []).map(({ title }) => title));
    expect(titles.size).toBeGreaterThanOrEqual(2);
    expect(titles.size).toBe(gradientCases[operator]?.length);
  },
);

test("no operator both has a rule and counts as not differentiable", () => {
  expect(Object.keys(gradientRules).filter((operator) => nonDifferentiable.has(operator))).toEqual([]);
});
