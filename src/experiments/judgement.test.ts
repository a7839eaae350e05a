/** @file The rule by which attacks are judged. */

import { expect, test } from "vitest";
import { outcomeOf, withinPrice } from "./judgement.js";

const decision = { acceptableDrop: 0.02 };

test("every drop that is two points on a test set of any size is within two points", () => {
  let inexact = 0;
  for (let images = 50; images <= 10_000; images += 50) {
    for (let correct = images; correct >= images / 2; correct -= images / 50) {
      const drop = correct / images - (correct - images / 50) / images;
      if (drop > 0.02) inexact += 1;
      expect(withinPrice(drop, decision)).toBe(true);
    }
    expect(withinPrice(0.02 + 1 / images, decision)).toBe(false);
  }
  // Without the tolerance they would be too dear.
  expect(inexact).toBeGreaterThan(0);
});

test.each([
  [{ shownBefore: false, shown: false, drop: 0 }, "never-shown"],
  [{ shownBefore: true, shown: true, drop: 0.5 }, "shown"],
  [{ shownBefore: true, shown: false, drop: 0.01 }, "removed"],
  [{ shownBefore: true, shown: false, drop: 0.03 }, "costly"],
  [{ shownBefore: true, shown: false, drop: -0.03 }, "removed"],
] as const)("%o is %s", (found, outcome) => {
  expect(outcomeOf(found, decision)).toBe(outcome);
});

test("where no price was set, none is too dear", () => {
  expect(outcomeOf({ shownBefore: true, shown: false, drop: 0.9 }, { acceptableDrop: null })).toBe("removed");
});
