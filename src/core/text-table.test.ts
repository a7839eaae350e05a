import { expect, test } from "vitest";
import { textTable } from "./text-table.js";

test("columns are aligned, those of numbers to the right", () => {
  const rows = [
    ["WILD", "3 000", "98.6 %", "< 10⁻¹²", "1 of 2"],
    ["FT", "600", "3.0 %", "0.031", ""],
    ["FT", "", "", "3.2 × 10⁻⁵", "no"],
  ];
  expect(textTable(rows, ["name", "images", "left", "p", "12"])).toBe(
    [
      "name  images    left           p  12",
      "WILD   3 000  98.6 %     < 10⁻¹²  1 of 2",
      "FT       600   3.0 %       0.031",
      "FT                    3.2 × 10⁻⁵  no",
    ].join("\n"),
  );
  expect(textTable([["a", "1,5"]])).toBe("a  1,5");
  expect(textTable([])).toBe("");
});
