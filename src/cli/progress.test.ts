/** @file What progress writes, with a clock and a terminal of the test's own. */

import { expect, test } from "vitest";
import { terminalProgress } from "./progress.js";

function rig(terminal: { readonly isTTY: boolean; readonly columns?: number }, unit?: "bytes") {
  const written: string[] = [];
  let time = 0;
  const progress = terminalProgress({
    output: { ...terminal, write: (text: string) => written.push(text) },
    unit,
    now: () => time,
  });
  return {
    progress,
    written,
    wait: (ms: number) => {
      time += ms;
    },
  };
}

test("on a terminal the bar is rewritten in place, seldom, with rate and time left", () => {
  const { progress, written, wait } = rig({ isTTY: true, columns: 70 });
  progress.update("train", 1, 100);
  for (let i = 2; i <= 11; i++) {
    wait(20);
    progress.update("train", i, 100);
  }
  expect(written).toEqual([
    "\r\u001b[Ktrain  ────────────────────────    1 %",
    "\r\u001b[Ktrain  ━───────────────────────    6 %  50.0 steps/s  0:02 left",
    "\r\u001b[Ktrain  ━━━─────────────────────   11 %  50.0 steps/s  0:02 left",
  ]);
});

test("no line is wider than the terminal", () => {
  for (const columns of [20, 40, 60, 200]) {
    const { progress, written, wait } = rig({ isTTY: true, columns });
    for (const done of [1, 50]) {
      progress.update("remove with a method whose name does not want to end", done, 100);
      wait(1000);
    }
    for (const line of written) expect(line.replace("\r\u001b[K", "").length).toBeLessThan(columns);
  }
});

test("notes take the bar away and stand above the next one", () => {
  const { progress, written, wait } = rig({ isTTY: true, columns: 70 });
  progress.update("train", 1, 2);
  progress.note("epoch 1");
  wait(1);
  progress.update("train", 2, 2);
  progress.end();
  expect(written[1]).toBe("\r\u001b[K");
  expect(written[2]).toBe("epoch 1\n");
  expect(written[3]).toMatch(/train .* 100 %/);
  expect(written[4]).toBe("\r\u001b[K");
});

test("elsewhere there is a plain line every few seconds", () => {
  const { progress, written, wait } = rig({ isTTY: false });
  for (let i = 1; i <= 100; i++) {
    progress.update("train", i, 100);
    wait(100);
  }
  progress.end();
  expect(written).toEqual([
    "train: 1 % (1 of 100 steps)\n",
    "train: 51 % (51 of 100 steps, 10.0 steps/s, 0:05 left)\n",
  ]);
});

test("rate and time left are those of the whole work, whatever its parts are called; other work begins anew", () => {
  const { progress, written, wait } = rig({ isTTY: false });
  progress.update("first cell", 0, 100);
  wait(5000);
  progress.update("second cell", 50, 100);
  wait(5000);
  progress.update("other work", 10, 100);
  wait(5000);
  progress.update("other work", 20, 100);
  expect(written).toEqual([
    "first cell: 0 % (0 of 100 steps)\n",
    "second cell: 50 % (50 of 100 steps, 10.0 steps/s, 0:05 left)\n",
    "other work: 10 % (10 of 100 steps)\n",
    "other work: 20 % (20 of 100 steps, 2.00 steps/s, 0:40 left)\n",
  ]);
});

test("bytes are told in megabytes", () => {
  const { progress, written, wait } = rig({ isTTY: false }, "bytes");
  progress.update("images.gz", 1e6, 11e6);
  wait(5000);
  progress.update("images.gz", 6e6, 11e6);
  expect(written[1]).toBe("images.gz: 54 % (6.0 of 11.0 MB, 1.0 MB/s, 0:05 left)\n");
});
