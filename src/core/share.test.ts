/** @file Shares as numbers and in per cent. */

import { expect, test } from "vitest";
import { readShare, shareHint } from "./share.js";

test.each([
  [0.1, 0.1],
  ["0.1", 0.1],
  [".5", 0.5],
  ["1e-2", 0.01],
  ["10%", 0.1],
  ["10 %", 0.1],
  [" 0.25 % ", 0.0025],
  ["100%", 1],
  ["0 %", 0],
  ["-5%", -0.05],
  ["200 %", 2],
])("%j is %d", (given, share) => {
  expect(readShare(given)).toBe(share);
});

test.each(["", "%", "ten", "1.2.3", "10 %%", "1/2", "Infinity", "NaN", "0x1", null, true, undefined, ["5%"]])(
  "%j is no share",
  (given) => {
    expect(readShare(given)).toBe(undefined);
  },
);

test("whole per cent are told apart from nonsense", () => {
  expect([10, "10"].map(shareHint)).toEqual(Array(2).fill(" (10 per cent is written 10%)"));
  expect([1, 0.5, 500, "200%", "ten", undefined].map(shareHint).join("")).toBe("");
});
