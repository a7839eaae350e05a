/** @file wildmark bench as processes: a small one, asked while it is partial, killed, extended; and what it refuses. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { benchSchema } from "../../src/experiments/bench-result.js";
import { wildmark, workFolder } from "./command-line.js";
import { killed, SMALL_SPEC, withoutTimes } from "./killed-bench.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

describe("wildmark bench", () => {
  test("computes all cells, and leaves result, report and tables", async () => {
    await writeFile(join(folder, "small.yaml"), SMALL_SPEC);
    const { status, stdout, stderr } = await wildmark(folder, "bench small.yaml --jobs 2 --out whole");
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/6 cells: 6 done/);
    const result = benchSchema.parse(JSON.parse(await readFile(join(folder, "whole/result.json"), "utf8")));
    expect(result).toMatchObject({ complete: true, seeds: [0], budgets: [0.1, 0.2] });
    expect(await readFile(join(folder, "whole/report.html"), "utf8")).toContain("What is left of each mark");
    expect((await readFile(join(folder, "whole/cells.csv"), "utf8")).split("\r\n").length).toBe(6 + 2);
    expect(await readFile(join(folder, "whole/table.tex"), "utf8")).toContain("\\begin{tabular}");
  }, 120_000);

  test("killed twice and run again, nothing finished is lost and the result is the same", async () => {
    expect(await killed(folder, "killed", 2, 1)).toBeGreaterThan(0);
    expect(await withoutTimes(join(folder, "killed/result.json"))).toEqual(
      await withoutTimes(join(folder, "whole/result.json")),
    );
  }, 120_000);

  test("two parts in two folders hold every cell once; a part by itself says what is missing", async () => {
    for (const part of ["1/2", "2/2"]) {
      const { status, stderr } = await wildmark(folder, `bench small.yaml --shard ${part} --out shared`);
      expect(status, stderr).toBe(0);
      const state = await wildmark(folder, "bench status shared");
      expect(state.status, state.stderr).toBe(0);
      const result = benchSchema.parse(JSON.parse(await readFile(join(folder, "shared/result.json"), "utf8")));
      expect(result.complete).toBe(part === "2/2");
    }
    expect(await withoutTimes(join(folder, "shared/result.json"))).toEqual(
      await withoutTimes(join(folder, "whole/result.json")),
    );
  }, 120_000);

  test.each([
    ["an unknown option", "options: { metric: js, epochs: 2 }", "options: { metrik: js }", /removers\[0\].*metric/],
    ["a method that there is not", "quantisation", "quantization", /removers\[2\].*quantisation/],
    ["a budget of 0", "10 %, 20 %", "0 %, 20 %", /budgets\[0\]/],
    ["a budget of 200 %", "10 %, 20 %", "10 %, 200 %", /budgets\[1\]/],
    ["the same remover twice", "- quantisation", "- quantisation\n  - quantisation", /removers\[3\].*removers\[2\]/],
    ["an unknown key", "title: Killed", "titel: Killed", /titel/],
  ])("refuses %s with its place, and writes nothing", async (_, from, to, message) => {
    await writeFile(join(folder, "wrong.yaml"), SMALL_SPEC.replace(from, to));
    const { status, stdout, stderr } = await wildmark(folder, "bench wrong.yaml --out never");
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    await expect(readFile(join(folder, "never/result.json"))).rejects.toThrow();
  });
});
