/** @file Columns, widths and numbers as people read them. */

import { expect, test } from "vitest";
import { textTable } from "../core/text-table.js";
import { count, points, wrapped } from "./output.js";
import { percent } from "../core/percent.js";

test("tables are aligned, numbers to the right, without trailing spaces", () => {
  const rows = [
    ["accuracy", "99.30 %", "+1.00"],
    ["retention", "3.00 %", "−97.00"],
  ];
  expect(textTable(rows, ["", "before", "points"]).split("\n")).toEqual([
    "            before  points",
    "accuracy   99.30 %   +1.00",
    "retention   3.00 %  −97.00",
  ]);
  expect(
    textTable([
      ["a", "long text", "x"],
      ["bcd", "", ""],
    ]),
  ).toBe("a    long text  x\nbcd");
  expect(textTable([])).toBe("");
});

test("wrapped lines keep their indentation and every word", () => {
  expect(wrapped("short\n  one two three four", 10)).toBe("short\n  one two\n  three\n  four");
  expect(wrapped("unbreakableword x", 5)).toBe("unbreakableword\nx");
});

test("numbers never claim more than was measured", () => {
  expect([percent(0.9999), percent(1), percent(0.0001), percent(0)]).toEqual(["99.9 %", "100.0 %", "0.1 %", "0.0 %"]);
  expect([points(-0.0042), points(0.01), count(1234567)]).toEqual(["−0.42", "+1.00", "1,234,567"]);
});
