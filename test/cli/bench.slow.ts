/** @file A bench killed at twenty random moments loses no finished cell, and ends as if it had never been stopped. */

import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { wildmark, workFolder } from "./command-line.js";
import { killed, withoutTimes } from "./killed-bench.js";

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
