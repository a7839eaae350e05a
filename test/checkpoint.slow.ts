/** @file train with a given model, remove and embed, killed after an epoch: the same commands go on, byte for byte. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wildmark, workFolder } from "./cli/command-line.js";
import { DATA, documentOf, killedAt } from "./cli/killed-run.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const same = async (one: string, other: string): Promise<void> =>
  expect(await readFile(join(folder, one))).toEqual(await readFile(join(folder, other)));

beforeAll(async () => {
  const line = `embed --scheme content --triggers 20 ${DATA} --epochs 8 --seed 1 --out marked.onnx --key mark.key`;
  const { status, stderr } = await wildmark(folder, line);
  expect(status, stderr).toBe(0);
});

test("train goes on with a given model", async () => {
  const line = `train marked.onnx ${DATA} --epochs 6 --json --out`;
  const whole = await wildmark(folder, `${line} whole-2.onnx`);
  expect(whole.status, whole.stderr).toBe(0);
  const killed = await killedAt(folder, `${line} killed-2.onnx`, 3);
  await same("whole-2.onnx", "killed-2.onnx");
  expect(documentOf(killed)).toEqual(documentOf(whole));
});

test("remove, with the owner's measurements on the way", async () => {
  const line = `remove marked.onnx ${DATA} --method wild --fraction 0.5 --epochs 6 --key mark.key --json --out`;
  const whole = await wildmark(folder, `${line} whole-3.onnx`);
  expect(whole.status, whole.stderr).toBe(0);
  const killed = await killedAt(folder, `${line} killed-3.onnx`, 3);
  await same("whole-3.onnx", "killed-3.onnx");
  expect(documentOf(killed)).toEqual(documentOf(whole));
});

test("embed with a seed, and with a secret that nobody has said: it is the stopped run's", async () => {
  const line = `embed --scheme content --triggers 20 ${DATA} --epochs 8`;
  await killedAt(folder, `${line} --seed 1 --out killed-4.onnx --key killed-4.key`, 4);
  await same("marked.onnx", "killed-4.onnx");
  await same("mark.key", "killed-4.key");
  await killedAt(folder, `${line} --out killed-5.onnx --key killed-5.key`, 4);
  const verified = await wildmark(folder, "verify killed-5.onnx --key killed-5.key");
  expect(verified.status, verified.stdout).toBe(0);
  expect(await readFile(join(folder, "killed-5.key"))).not.toEqual(await readFile(join(folder, "mark.key")));
});
