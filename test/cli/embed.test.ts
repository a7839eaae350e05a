/**
 * @file A failed embed leaves neither key nor model; and nothing is written into the working folder where HOME is
 * empty.
 */

import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { start, wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const EMBED = "embed --dataset digits --limit 400 --test-limit 50 --batch 32 --triggers 10 --held-out 5";

test("no key stays where the model cannot be written in the end", async () => {
  const { process, ended } = start(folder, `${EMBED} --epochs 3 --out late.onnx --key late.key`.split(" "));
  let said = "";
  process.stderr?.on("data", (text: string) => {
    said += text;
    // Somebody takes the model's name while it is trained.
    if (said.includes("epoch 1:")) void writeFile(join(folder, "late.onnx"), "somebody's");
  });
  const { status, stderr } = await ended;
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining("late.onnx: already exists") });
  expect(await readdir(folder)).toEqual(["late.onnx"]);
});

test("no key stays where training fails", async () => {
  const { status } = await wildmark(folder, `${EMBED} --learning-rate 1e30 --out far.onnx --key far.key`);
  expect(status).toBe(1);
  expect((await readdir(folder)).filter((name) => name.startsWith("far"))).toEqual([]);
});

test.each([
  ["empty", ""],
  ["not set", undefined],
])("HOME %s: it is said where caches go, and not into the working folder", async (_, HOME) => {
  const before = await readdir(folder);
  const env = { HOME, USERPROFILE: undefined, XDG_CACHE_HOME: undefined };
  const { status, stderr } = await wildmark(folder, "data list", env);
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/^note: HOME is .* goes to \/.*wildmark/);
  expect(await readdir(folder)).toEqual(before);
});
