/** @file wildmark audit as a process: an audit that is small, repeated, extended, listed; and what it refuses. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { experimentSchema } from "../../src/experiments/document.js";
import { wildmark, workFolder } from "./command-line.js";
import { writeFixtures } from "./fixtures.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const DATA = "--dataset digits --limit 1500 --test-limit 100";
const AUDIT = `audit marked.onnx --key mark.key ${DATA} --methods wild --epochs 1 --budgets 0.002,0.05`;

beforeAll(async () => {
  await writeFixtures(folder);
  const made = await wildmark(
    folder,
    `embed --scheme noise ${DATA} --triggers 30 --held-out 5 --epochs 6 --batch 32 --seed 1 --out ` +
      `marked.onnx --key mark.key`,
  );
  expect(made.status, made.stderr).toBe(0);
}, 60_000);

describe("wildmark audit", () => {
  test("writes a document and a report, tells each cell, skips what has too little data", async () => {
    const { status, stdout, stderr } = await wildmark(folder, `${AUDIT} --jobs 2 --out a`);
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^Your mark /);
    expect(stdout).toMatch(/WILD-CE +0.2 % .*not tried/);
    expect(stdout).toMatch(/From scratch \(baseline\) +5 % +75/);
    for (const line of ["[4/4]", "skipped: WILD-CE with 0.2 %, WILD-JS with 0.2 %"]) expect(stderr).toContain(line);
    const audit = experimentSchema.parse(JSON.parse(await readFile(join(folder, "a/result.json"), "utf8")));
    expect(audit.attacks.map((cell) => cell.status)).toEqual(["skipped", "done", "skipped", "done", "skipped", "done"]);
    expect(await readFile(join(folder, "a/report.html"), "utf8")).toContain("What to do next");
  });

  test(
    "run again it only draws; extended, it reuses what is finished; drawn by report, it is the " + "same page",
    async () => {
      const again = await wildmark(folder, `${AUDIT} --out a --json`);
      expect(again.status, again.stderr).toBe(0);
      expect(JSON.parse(again.stdout)).toMatchObject({ command: "audit", computed: false });
      const drawn = await wildmark(folder, "report a/result.json --out drawn.html");
      expect(drawn.status, drawn.stderr).toBe(0);
      const page = (name: string) => readFile(join(folder, name), "utf8");
      expect(await page("drawn.html")).toBe(await page("a/report.html"));
      const listed = await wildmark(folder, `${AUDIT} --seeds 2 --out a --dry-run --json`);
      const { cells } = JSON.parse(listed.stdout);
      expect(cells.map(({ finished }: { readonly finished: boolean }) => finished)).toEqual([
        ...[true, true, true, true],
        ...[false, false, false],
      ]);
      const extended = await wildmark(folder, `${AUDIT} --seeds 2 --jobs 1 --out a`);
      expect(extended.status, extended.stderr).toBe(0);
      expect(extended.stderr.match(/found finished/g)?.length).toBe(4);
    },
  );

  test.each([
    ["a budget of 0", `${AUDIT},0 --out b`, "expected more than 0"],
    ["a budget above 1", `${AUDIT},1.5 --out b`, "expected at most 1 (1.5 per cent is written 1.5%)"],
    ["no such method", `${AUDIT.replace("wild", "wilder")} --out b`, 'No removal method "wilder"'],
    ["a key of another model", `${AUDIT.replace("mark.key", "colour.key")} --out b`, "colour.key"],
    ["a model of other images", `${AUDIT.replace("marked.onnx", "colour.onnx")} --out b`, "colour.onnx takes"],
    ["a mark that is not shown", `${AUDIT.replace("marked.onnx", "model.onnx")} --out b`, "Nothing to audit"],
  ])("refuses %s", async (_, line, message) => {
    const { status, stdout, stderr } = await wildmark(folder, line);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});
