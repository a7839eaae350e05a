/** @file wildmark bench as processes: a small one, asked while it is partial, killed, extended; and what it refuses. */

import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { randomStream } from "../../src/core/random.js";
import { npy, zip } from "../../src/data/testing/archives.js";
import { experimentSchema } from "../../src/experiments/document.js";
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
    expect(stdout).toMatch(/6 attacks: 6 done/);
    const result = experimentSchema.parse(JSON.parse(await readFile(join(folder, "whole/result.json"), "utf8")));
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

  test("status and report need no data set: the folder says what is needed of it", async () => {
    // Data at a path that is gone afterwards, and pictures for the mark that takes some.
    const images = join(folder, "images.npz");
    await writeFile(images, arrays(200, 40));
    const spec = `
dataset: images.npz
training: { epochs: 1, batch: 32 }
marks: [{ id: unrelated, options: { triggers: 5, heldOut: 3 } }]
removers: [{ id: fine-tune, options: { variant: rtll, epochs: 1 } }]
budgets: [0.5 %, 20 %]
seeds: 1
`;
    await writeFile(join(folder, "gone.yaml"), spec);
    const ran = await wildmark(folder, "bench gone.yaml --jobs 1 --quiet");
    expect(ran.status, ran.stderr).toBe(0);
    const out = "wildmark-bench-gone";
    const before = await withoutTimes(join(folder, out, "result.json"));
    await rm(images);
    await rm(join(folder, "gone.yaml"));

    const state = await wildmark(folder, `status ${out}`);
    expect(state.status, state.stderr).toBe(0);
    expect(state.stdout).toMatch(/^gone: complete\n/);
    await rm(join(folder, out, "result.json"));
    const report = await wildmark(folder, `report ${out}`);
    expect(report.status, report.stderr).toBe(0);
    expect(await withoutTimes(join(folder, out, "result.json"))).toEqual(before);

    // A folder of an earlier version says nothing of what was run.
    await rm(join(folder, out, "experiment.json"));
    const old = await wildmark(folder, `status ${out}`);
    expect(old.status).toBe(2);
    expect(old.stderr).toMatch(/^wildmark: wildmark-bench-gone holds no experiment: /);
  }, 120_000);

  test("marked models that are given are attacked as they are, beside marks that are made", async () => {
    const [model = ""] = (await readdir(join(folder, "whole/cells"))).filter((name) => /^marked.*\.onnx$/.test(name));
    const key = model.replace(/\.onnx$/, ".key.safetensors");
    const spec = SMALL_SPEC.replace(
      "marks:",
      `models: [{ model: whole/cells/${model}, key: whole/cells/${key}, name: mine }]\nmarks:`,
    );
    await writeFile(join(folder, "given.yaml"), spec);
    const { status, stdout, stderr } = await wildmark(folder, "bench given.yaml --jobs 2 --out whole --force");
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/12 attacks: 12 done/);
    const result = experimentSchema.parse(JSON.parse(await readFile(join(folder, "whole/result.json"), "utf8")));
    expect(result.subjects.map(({ kind, name }) => [kind, name])).toEqual([
      ["made", "content"],
      ["given", "mine"],
    ]);
    const [made, given] = [0, 1].map((subject) => result.attacks.filter((cell) => cell.subject === subject));
    expect(given?.map((cell) => ({ ...cell, subject: 0, seconds: 0 }))).toEqual(
      made?.map((cell) => ({ ...cell, seconds: 0 })),
    );
    // Its key lies where it lay, and the folder knows where.
    await rm(join(folder, "whole/result.json"));
    expect((await wildmark(folder, "report whole")).status).toBe(0);
    expect((await wildmark(folder, "bench small.yaml --jobs 2 --out whole --force")).status).toBe(0);
  }, 120_000);

  test("ends with 1 where a cell failed, and says why", async () => {
    // A rate at which weights become infinite.
    const broken = SMALL_SPEC.replace("variant: ftal, epochs: 2", "variant: ftal, epochs: 2, learningRate: 1.0e+30");
    await writeFile(join(folder, "broken.yaml"), broken);
    const { status, stdout } = await wildmark(folder, "bench broken.yaml --jobs 2 --out whole");
    expect(status).toBe(1);
    expect(stdout).toMatch(/Failed:\n {2}Training diverged: .*\n/);
    expect(stdout).toMatch(/6 attacks: 4 done, 2 failed/);
    expect((await wildmark(folder, "status whole")).status).toBe(0);
  }, 120_000);

  test.each([
    [
      "a target class that is not there",
      "triggers: 10,",
      "target: 10, triggers: 10,",
      /marks\[0\] \(line 5\): .*10; the data has classes 0 to 9/,
    ],
    [
      "source and target alike",
      "triggers: 10,",
      "source: 6, target: 6, labels: target, triggers: 10,",
      /marks\[0\] \(line 5\): .*both 6/,
    ],
    [
      "more triggers than images",
      "triggers: 10,",
      "source: 4, target: 6, labels: target, triggers: 1000,",
      /marks\[0\] \(line 5\): .*images of class 4; the mark needs 1005/,
    ],
    [
      "the same of a mark that is made against a model",
      "content, options: { triggers: 10,",
      "frontier-stitching, options: { triggers: 1000,",
      /marks\[0\] \(line 5\): the training set has 600 images/,
    ],
    [
      "two mistakes at once",
      "triggers: 10, heldOut: 5 } }]",
      "target: 10 } }, { id: noise, options: { source: 4, target: 4, labels: target } }]",
      /has 2 mistakes:\n {2}marks\[0\].*\n {2}marks\[1\].*both 4/,
    ],
  ])("refuses %s before anything runs", async (_, from, to, message) => {
    await writeFile(join(folder, "unfit.yaml"), SMALL_SPEC.replace(from, to));
    const { status, stdout, stderr } = await wildmark(folder, "bench unfit.yaml --dry-run --out never");
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    await expect(stat(join(folder, "never"))).rejects.toThrow();
  });

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

/** An .npz file of images of noise, ten classes in turn. */
function arrays(train: number, test: number): Buffer {
  const random = randomStream(0, "arrays");
  const images = (count: number) =>
    npy(
      "|u1",
      [count, 28, 28],
      Uint8Array.from({ length: count * 784 }, () => random.below(256)),
    );
  const labels = (count: number) =>
    npy(
      "|u1",
      [count],
      Uint8Array.from({ length: count }, (_, i) => i % 10),
    );
  return zip([
    { name: "x_train.npy", bytes: images(train) },
    { name: "y_train.npy", bytes: labels(train) },
    { name: "x_test.npy", bytes: images(test) },
    { name: "y_test.npy", bytes: labels(test) },
  ]);
}
