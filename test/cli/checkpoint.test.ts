/** @file train, embed and remove, killed after an epoch: the same command goes on, and ends with the same bytes. */

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ended, start, wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

/** So that every epoch is written at once. */
const env = { WILDMARK_CHECKPOINT_SECONDS: "0" };
const DATA = "--dataset digits --limit 400 --test-limit 50 --batch 20";

/** Runs the command, kills it once it tells of this epoch, and runs it again to its end. */
async function killedAt(line: string, epoch: number): Promise<Ended> {
  const running = start(folder, line.split(" "), env);
  running.process.stderr?.on("data", (text: string) => {
    if (text.includes(`epoch ${epoch}:`)) running.process.kill("SIGKILL");
  });
  const { status } = await running.ended;
  expect(status).not.toBe(0);
  const left = (await readdir(folder)).filter((file) => file.endsWith(".training"));
  expect(left).toHaveLength(1);
  const ended = await wildmark(folder, line, env);
  expect(ended.status, ended.stderr).toBe(0);
  expect(ended.stderr).toContain(`going on from ${left[0]}`);
  expect(ended.stderr).not.toContain("epoch 1:");
  expect((await readdir(folder)).filter((file) => file.endsWith(".training"))).toEqual([]);
  return ended;
}

/** What `--json` prints, without times and names of files. */
const documentOf = ({ stdout }: Ended): unknown =>
  JSON.parse(stdout, (name, value) => (["seconds", "out", "path"].includes(name) ? undefined : value));

const same = async (one: string, other: string): Promise<void> =>
  expect(await readFile(join(folder, one))).toEqual(await readFile(join(folder, other)));

beforeAll(async () => {
  const line = `embed --scheme content --triggers 20 ${DATA} --epochs 8 --seed 1 --out marked.onnx --key mark.key`;
  const { status, stderr } = await wildmark(folder, line);
  expect(status, stderr).toBe(0);
});

test("train", async () => {
  const line = `train ${DATA} --epochs 8 --json --average ema --out`;
  const whole = await wildmark(folder, `${line} whole.onnx`);
  const killed = await killedAt(`${line} killed.onnx`, 3);
  await same("whole.onnx", "killed.onnx");
  expect(documentOf(killed)).toEqual(documentOf(whole));
});

test("train goes on with a given model", async () => {
  const line = `train marked.onnx ${DATA} --epochs 6 --json --out`;
  const whole = await wildmark(folder, `${line} whole-2.onnx`);
  expect(whole.status, whole.stderr).toBe(0);
  const killed = await killedAt(`${line} killed-2.onnx`, 3);
  await same("whole-2.onnx", "killed-2.onnx");
  expect(documentOf(killed)).toEqual(documentOf(whole));
});

test("remove, with the owner's measurements on the way", async () => {
  const line = `remove marked.onnx ${DATA} --method wild --fraction 0.5 --epochs 6 --key mark.key --json --out`;
  const whole = await wildmark(folder, `${line} whole-3.onnx`);
  expect(whole.status, whole.stderr).toBe(0);
  const killed = await killedAt(`${line} killed-3.onnx`, 3);
  await same("whole-3.onnx", "killed-3.onnx");
  expect(documentOf(killed)).toEqual(documentOf(whole));
});

test("embed with a seed, and with a secret that nobody has said: it is the stopped run's", async () => {
  const line = `embed --scheme content --triggers 20 ${DATA} --epochs 8`;
  await killedAt(`${line} --seed 1 --out killed-4.onnx --key killed-4.key`, 4);
  await same("marked.onnx", "killed-4.onnx");
  await same("mark.key", "killed-4.key");
  await killedAt(`${line} --out killed-5.onnx --key killed-5.key`, 4);
  const verified = await wildmark(folder, "verify killed-5.onnx --key killed-5.key");
  expect(verified.status, verified.stdout).toBe(0);
  expect(await readFile(join(folder, "killed-5.key"))).not.toEqual(await readFile(join(folder, "mark.key")));
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
