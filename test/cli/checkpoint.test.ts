/** @file train, killed after an epoch: the same command goes on, and ends with the same bytes. */

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { start, wildmark, workFolder } from "./command-line.js";
import { DATA, documentOf, env, killedAt } from "./killed-run.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

test("train", async () => {
  const line = `train ${DATA} --epochs 8 --json --average ema --out`;
  const whole = await wildmark(folder, `${line} whole.onnx`);
  const killed = await killedAt(folder, `${line} killed.onnx`, 3);
  expect(await readFile(join(folder, "whole.onnx"))).toEqual(await readFile(join(folder, "killed.onnx")));
  expect(documentOf(killed)).toEqual(documentOf(whole));
});

test("another run's file is written over, and said; a file of another kind is left alone", async () => {
  const running = start(folder, `train ${DATA} --epochs 8 --out other.onnx`.split(" "), env);
  running.process.stderr?.on("data", (text: string) => {
    if (text.includes("epoch 3:")) running.process.kill("SIGKILL");
  });
  await running.ended;
  const { status, stderr } = await wildmark(folder, `train ${DATA} --epochs 2 --out other.onnx`);
  expect(status, stderr).toBe(0);
  expect(stderr).toContain("other.onnx.training is of a run with other data or flags");

  await rm(join(folder, "other.onnx"));
  await writeFile(join(folder, "other.onnx.training"), "notes of mine");
  const refused = await wildmark(folder, `train ${DATA} --epochs 2 --out other.onnx`);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain("other.onnx.training");
  expect(await readFile(join(folder, "other.onnx.training"), "utf8")).toBe("notes of mine");
});
