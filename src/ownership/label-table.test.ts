/** @file Tables of labels as people write them, and what is refused of them. */

import { expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { readLabelTable } from "./label-table.js";
import { labelReader } from "./suspects/labels.js";

const names = ["a.png", "x/b.png", "c, d.png"];
const read = (text: string, classNames?: readonly string[]) =>
  readLabelTable(Buffer.from(text), names, labelReader(3, classNames), "l.csv");

function mistakes(text: string): readonly string[] {
  try {
    read(text, ["cat", "dog", "ship"]);
  } catch (error) {
    if (error instanceof WildmarkError && error.code === "bad-file") return [error.message, ...error.details];
    throw error;
  }
  throw new Error("accepted");
}

test.each([
  'a.png,0\nx/b.png,2\n"c, d.png",1\n',
  '\uFEFFlabel;note;name\n1;;"c, d.png"\n\n0;x;a.png\n2;;x/b.png',
  "a.png\tcat\nx/b.png\tShip\nc, d.png\tdog".replaceAll("c, d.png", '"c, d.png"'),
])("read in any order, with or without a header, by number or name", (text) => {
  expect([...read(text, ["cat", "dog", "ship"])]).toEqual([0, 2, 1]);
});

test("each image once, each with a label that there is", () => {
  const found = mistakes("a.png,3\na.png,1\nb.png,0\nx/b.png,\n").join("\n");
  expect(found).toContain("l.csv is not one label for each of 3 images");
  expect(found).toContain("line 1: class 3 is out of range");
  expect(found).toContain("line 2: a.png has a label in line 1 already");
  expect(found).toContain('line 3: there is no image "b.png"');
  expect(found).toContain("line 4: x/b.png has no label");
  expect(found).toContain("1 images have no line, such as c, d.png");
  expect(mistakes('a.png,"0')[0]).toContain("is no table of labels");
  expect(mistakes("")).toEqual([expect.any(String), "3 images have no line, such as a.png"]);
});

test("of many mistakes the first twenty are told", () => {
  const found = mistakes(Array.from({ length: 30 }, (_, i) => `${i}.png,0`).join("\n"));
  expect(found).toHaveLength(22);
  expect(found.at(-1)).toBe("and 11 more");
});
