import { expect, test } from "vitest";
import { csv, latex } from "./exports.js";
import { findingsOf } from "./findings/findings.js";
import { sampleBench } from "./testing/sample-bench.js";

const bench = sampleBench();

test("a line of CSV for each cell, quoted where it must be", () => {
  const named = { ...bench, subjects: bench.subjects.map((each) => ({ ...each, name: `a "${each.name}", b` })) };
  const lines = csv(named).split("\r\n");
  expect(lines.length).toBe(bench.attacks.length + 2);
  expect(lines[0]?.split(",").slice(0, 4)).toEqual(["mark", "remover", "method", "fraction"]);
  expect(lines[1]).toMatch(/^"a ""content"", b",WILD-JS,wild-js,0\.01,0,done,/);
  expect(csv(bench)).not.toContain("undefined");
});

test("LaTeX with what is special escaped", () => {
  const named = { ...bench, removers: bench.removers.map((each) => ({ ...each, name: `50%_${each.name}\\` })) };
  const text = latex(findingsOf(named));
  expect(text).toContain("50\\%\\_WILD-JS\\textbackslash{} & \\textbf{");
  expect(text.split("\n").filter((line) => line.endsWith("\\\\")).length).toBe(5);
});
