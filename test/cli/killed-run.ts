/** @file Runs a command, kills it after an epoch, and runs it again to its end: for tests of checkpoints. */

import { readdir } from "node:fs/promises";
import { expect } from "vitest";
import { type Ended, start, wildmark } from "./command-line.js";

/** So that every epoch is written at once. */
export const env = { WILDMARK_CHECKPOINT_SECONDS: "0" };
export const DATA = "--dataset digits --limit 400 --test-limit 50 --batch 20";

/** Kills the command once it tells of this epoch, and runs it again. */
export async function killedAt(folder: string, line: string, epoch: number): Promise<Ended> {
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
export const documentOf = ({ stdout }: Ended): unknown =>
  JSON.parse(stdout, (name, value) => (["seconds", "out", "path"].includes(name) ? undefined : value));
