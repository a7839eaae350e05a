/** @file Measured lowerings from the command line: two processes at once, what info shows, and training with them. */

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { encodeModel } from "../../src/onnx/model.js";
import { tinyModel } from "../../src/training/testing/tiny.js";
import { type Ended, wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
const choices = join(`${folder}-cache`, "wildmark", "lowerings");
const DATA = "--dataset digits --limit 200 --test-limit 50";

beforeAll(async () => {
  await writeFile(join(folder, "tiny.onnx"), encodeModel(tinyModel({ channels: 3, side: 16, classes: 10 })));
});
beforeEach(() => rm(`${folder}-cache`, { recursive: true, force: true }));
afterAll(work.remove);

const documentSchema = z.object({
  autotuning: z.object({
    rows: z.number(),
    lowerings: z.array(
      z.object({
        layer: z.string(),
        operator: z.string(),
        candidates: z.array(z.string()),
        lowering: z.string(),
        why: z.string(),
        measured: z.array(z.looseObject({ lowering: z.string() })).optional(),
      }),
    ),
  }),
});

function lowerings({ status, stdout, stderr }: Ended) {
  expect(status, stderr).toBe(0);
  return documentSchema.parse(JSON.parse(stdout)).autotuning.lowerings;
}

test("two processes measure at once, keep whole files, and the next takes what they kept", async () => {
  const line = "info tiny.onnx --autotuning --measure --rows 8 --json";
  const both = (await Promise.all([wildmark(folder, line), wildmark(folder, line)])).map(lowerings);
  expect(both[0]?.map(({ layer, operator }) => [layer, operator])).toEqual([
    ["MaxPool", "MaxPoolGrad"],
    ["conv.weight", "ConvGradWeight"],
  ]);
  const files = await readdir(choices);
  expect(files).toHaveLength(2);
  for (const name of files) JSON.parse(await readFile(join(choices, name), "utf8"));

  const next = lowerings(await wildmark(folder, "info tiny.onnx --autotuning --rows 8 --json"));
  for (const [i, each] of next.entries()) {
    expect(each.why).toBe("cached");
    expect(each.measured?.map(({ lowering }) => lowering)).toEqual(each.candidates);
    // Both processes ended up with what was kept, whoever kept it.
    for (const other of both) {
      expect({ lowering: other[i]?.lowering, measured: other[i]?.measured }).toEqual({
        lowering: each.lowering,
        measured: each.measured,
      });
    }
  }
  const text = await wildmark(folder, "info tiny.onnx --autotuning --rows 8");
  expect(text.stdout).toMatch(
    /To the kernel of a convolution:\n +layer +image +kernel .* why\n +conv +3×16×16 +4×3×3×3 \/2 .*\d •.*(by rule|of rule)\n/,
  );
  expect(text.stdout).not.toContain("?");
});

test("info says what was not measured, measures nothing unasked, and other threads are another matter", async () => {
  const { stdout, status } = await wildmark(folder, "info tiny.onnx --autotuning");
  expect(status).toBe(0);
  expect(stdout).toContain("2 of 2 choices were not measured on this machine; --measure does that, and keeps it.");
  await expect(readdir(choices)).rejects.toThrow("ENOENT");

  expect((await wildmark(folder, "info tiny.onnx --autotuning --measure --threads 1")).stdout).not.toContain(
    "not measured",
  );
  expect((await wildmark(folder, "info tiny.onnx --autotuning --threads 2")).stdout).toContain("2 of 2 choices");
});

test("info --measure without --autotuning is refused, as is a mode that is none", async () => {
  const [alone, mode, variable] = await Promise.all([
    wildmark(folder, "info tiny.onnx --measure"),
    wildmark(folder, `train ${DATA} --out o.onnx --autotuning fast`),
    wildmark(folder, `train ${DATA} --out o.onnx`, { WILDMARK_AUTOTUNING: "fast" }),
  ]);
  expect(alone).toMatchObject({ status: 2, stderr: expect.stringContaining("--measure goes with --autotuning") });
  expect(mode).toMatchObject({ status: 2, stderr: expect.stringContaining("expected one of off, cached, full") });
  expect(variable).toMatchObject({ status: 2, stderr: expect.stringContaining('WILDMARK_AUTOTUNING is "fast"') });
});

test("training under full tells of measuring once, and cached gives the same bytes", async () => {
  await mkdir(`${folder}-cache`, { recursive: true });
  const train = (out: string, words: string) => wildmark(folder, `train ${DATA} --epochs 1 --out ${out} ${words}`);
  const full = await train("full.onnx", "--autotuning full");
  expect(full.status, full.stderr).toBe(0);
  expect(full.stderr).toMatch(/measure lowerings for this machine: 0 %/);
  expect(full.stderr).toMatch(/measured the lowerings of \d+ shapes in/);
  const cached = await train("cached.onnx", "--autotuning cached");
  expect(cached.stderr).not.toContain("measure");
  const again = await train("again.onnx", "--autotuning full --quiet");
  expect(again.stderr).toBe("");
  const bytes = (name: string): Promise<Buffer> => readFile(join(folder, name));
  expect((await bytes("cached.onnx")).equals(await bytes("full.onnx"))).toBe(true);
  expect((await bytes("again.onnx")).equals(await bytes("full.onnx"))).toBe(true);
});

test("--autotuning stands in the help of what trains, and is accepted elsewhere", async () => {
  const [train, evaluate, info] = await Promise.all(
    ["train", "evaluate", "info"].map((name) => wildmark(folder, `${name} --help`)),
  );
  expect(train?.stdout).toContain("--autotuning <off|cached|full>");
  expect(evaluate?.stdout).not.toContain("--autotuning");
  expect(info?.stdout).toMatch(/--autotuning {2,}how convolutions/);
  expect(info?.stdout).not.toContain("--autotuning <");
});
