/** @file The choice on made-up times. */

import { expect, test } from "vitest";
import { type Measured, quickest } from "./rule.js";

const timed = (lowering: string, ...turns: number[]): Measured => ({ lowering, turns });

test.each<[string, Measured[], string]>([
  ["clearly faster", [timed("rule", 10, 11, 10), timed("other", 9, 9, 9)], "other"],
  ["the fastest of several", [timed("rule", 10, 10), timed("a", 8, 8), timed("b", 7, 7), timed("c", 9, 9)], "b"],
  ["faster by less than a twentieth", [timed("rule", 10, 10, 10), timed("other", 9.6, 9.6, 9.6)], "rule"],
  ["slower", [timed("rule", 10, 10), timed("other", 20, 20)], "rule"],
  ["no other", [timed("rule", 10)], "rule"],
  ["one lucky turn", [timed("rule", 10, 10, 10, 10, 10), timed("other", 5, 12, 12, 12, 12)], "rule"],
  ["one lucky turn among barely faster ones", [timed("rule", 10, 10, 10), timed("other", 5, 9.8, 9.8)], "rule"],
  // Half of the turns are disturbed for the one, half for the other: least and median differ, turns do not agree.
  ["a busy machine", [timed("rule", 30, 10, 30, 11, 30, 12), timed("other", 9, 28, 8, 29, 9, 28)], "rule"],
  ["a refused one", [timed("rule", 10), { lowering: "other", refused: "wrong" }, timed("third", 5)], "third"],
  ["one that got no more turns", [timed("rule", 10, 2, 2, 2), timed("other", 9)], "rule"],
])("%s", (_, measured, expected) => {
  expect(quickest(measured)).toBe(expected);
});

test("times without those of the static choice say nothing", () => {
  expect(() => quickest([])).toThrow(RangeError);
  expect(() => quickest([{ lowering: "rule", refused: "wrong" }, timed("other", 1)])).toThrow(RangeError);
});
