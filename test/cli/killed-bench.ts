/**
 * @file A bench that is killed at chosen moments and run again until it is done: what must be left, and what must not
 * be lost.
 */

import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { randomStream } from "../../src/core/random.js";
import { wildmark } from "./command-line.js";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Nine cells of a second or less. */
export const SMALL_SPEC = `
title: Killed
dataset: { name: digits, limit: 600, testLimit: 60 }
training: { epochs: 2, batch: 32 }
marks: [{ id: content, options: { triggers: 10, heldOut: 5 } }]
removers:
  - { id: wild, options: { metric: js, epochs: 2 } }
  - { id: fine-tune, options: { variant: ftal, epochs: 2 } }
  - quantisation
budgets: [10 %, 20 %]
seeds: 1
reactivation: false
`;

/** What a run leaves but for times, which no two runs share. */
export async function withoutTimes(path: string): Promise<unknown> {
  const times = ["started", "finished", "seconds", "command"];
  return JSON.parse(await readFile(path, "utf8"), (name, value) => (times.includes(name) ? undefined : value));
}

/** Finished cells by file: those whose result stands there whole. */
async function finishedCells(folder: string): Promise<ReadonlyMap<string, string>> {
  const cells = join(folder, "cells");
  const files = await readdir(cells).catch(() => []);
  const results = files.filter((file) => file.endsWith(".json"));
  return new Map(
    await Promise.all(results.map(async (file) => [file, await readFile(join(cells, file), "utf8")] as const)),
  );
}

/**
 * Runs the bench in `out` and kills all of its processes (SIGKILL) at `moments` random moments, then lets it end.
 *
 * @returns how many of the kills hit it at work.
 */
export async function killed(folder: string, out: string, moments: number, seed: number): Promise<number> {
  await writeFile(join(folder, "small.yaml"), SMALL_SPEC);
  const random = randomStream(seed, "kills");
  let hits = 0;
  let before: ReadonlyMap<string, string> = new Map();
  for (let i = 0; i < moments; i++) {
    const child = spawn(process.execPath, [MAIN, ..."bench small.yaml --jobs 2 --out".split(" "), out], {
      cwd: folder,
      env: { ...process.env, WILDMARK_THREADS: "1", XDG_CACHE_HOME: `${folder}-cache` },
      stdio: "ignore",
      // A group of its own, so that its workers die with it.
      detached: true,
    });
    const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
    await Promise.race([ended, sleep(300 + random.below(2500))]);
    if (child.exitCode === null && child.pid !== undefined) {
      hits += 1;
      process.kill(-child.pid, "SIGKILL");
    }
    await ended;
    const now = await finishedCells(join(folder, out));
    // What was finished before is still there, to the byte.
    for (const [file, text] of before) expect(now.get(file), file).toBe(text);
    before = now;
  }
  const last = await wildmark(folder, `bench small.yaml --jobs 2 --out ${out}`);
  expect(last.status, last.stderr).toBe(0);
  expect(last.stderr.match(/found finished/g)?.length ?? 0).toBeGreaterThanOrEqual(before.size);
  return hits;
}
