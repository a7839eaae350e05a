/** @file A bench killed at twenty random moments, or computed in two parts, ends as if it had been run in one piece. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { experimentSchema } from "../../src/experiments/document.js";
import { wildmark, workFolder } from "./command-line.js";
import { killed, SMALL_SPEC, withoutTimes } from "./killed-bench.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

test("twenty kills", async () => {
  // A bench of this size is over after a few seconds: it begins anew in another folder when it is.
  let hits = 0;
  for (let round = 0; hits < 20; round++) hits += await killed(folder, `killed${round}`, 4, round);
  const whole = await wildmark(folder, "bench small.yaml --out whole");
  expect(whole.status, whole.stderr).toBe(0);
  const expected = await withoutTimes(join(folder, "whole/result.json"));
  expect(await withoutTimes(join(folder, "killed0/result.json"))).toEqual(expected);
});

test("two parts in two folders hold every cell once; a part by itself says what is missing", async () => {
  await writeFile(join(folder, "small.yaml"), SMALL_SPEC);
  const whole = await wildmark(folder, "bench small.yaml --out unshared");
  expect(whole.status, whole.stderr).toBe(0);
  for (const part of ["1/2", "2/2"]) {
    const { status, stderr } = await wildmark(folder, `bench small.yaml --shard ${part} --out shared`);
    expect(status, stderr).toBe(0);
    const state = await wildmark(folder, "status shared");
    expect(state.status, state.stderr).toBe(0);
    const result = experimentSchema.parse(JSON.parse(await readFile(join(folder, "shared/result.json"), "utf8")));
    expect(result.complete).toBe(part === "2/2");
  }
  expect(await withoutTimes(join(folder, "shared/result.json"))).toEqual(
    await withoutTimes(join(folder, "unshared/result.json")),
  );
});
