/** @file An experiment that is killed again and again, at moments nobody chose, ends as if it had never been. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../src/core/random.js";
import { contentsWithoutTimes, withoutTimes } from "../src/experiments/testing/folder.js";
import { start, wildmark, workFolder } from "./cli/command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const line =
  "reproduce --dataset digits --limit 2100 --test-limit 100 --watermarks content,noise --metrics ce,js " +
  "--epochs 2 --training-epochs 2 --budgets 0.5 --out ";

/** Kills that one run is put through before it may end in peace. */
const KILLS = 12;

beforeAll(async () => {
  const whole = await wildmark(folder, `${line}whole`);
  expect(whole.status, whole.stderr).toBe(0);
}, 900_000);

test.each([1, 2, 3])("killed at the moments of seed %i: same models, keys, cells and result", async (seed) => {
  const random = randomStream(seed, "kill");
  const name = `killed-${seed}`;
  let killed = 0;
  while (killed < KILLS) {
    const running = start(folder, `${line}${name}`.split(" "));
    const stop = new AbortController();
    // From before the first cell to the middle of a later one.
    const pause = setTimeout(300 + random.below(2_500), undefined, { signal: stop.signal }).then(
      () => running.process.kill("SIGKILL"),
      () => false,
    );
    const { status } = await running.ended;
    stop.abort();
    await pause;
    if (status === 0) break;
    killed += 1;
  }
  expect(killed).toBeGreaterThan(0);
  const last = await wildmark(folder, `${line}${name}`);
  expect(last.status, last.stderr).toBe(0);

  const [expected, found] = [
    await contentsWithoutTimes(join(folder, "whole")),
    await contentsWithoutTimes(join(folder, name)),
  ];
  expect(Object.keys(found).filter((file) => /\.part$/.test(file)).length).toBeLessThanOrEqual(killed);
  for (const [file, content] of Object.entries(expected)) {
    // Report and table show times, the result its own command line.
    if (["result.json", "report.html", "cells.csv"].includes(file)) continue;
    expect(found[file], file).toEqual(content);
  }
  const document = async (run: string): Promise<unknown> => {
    const text = await readFile(join(folder, run, "result.json"), "utf8");
    return withoutTimes({ ...JSON.parse(text), command: "" });
  };
  expect(await document(name)).toEqual(await document("whole"));
});
