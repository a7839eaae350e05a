/** @file Ctrl-C in the middle: status 130, nothing half-written, and experiments that go on where they stopped. */

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Running, start, wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

/** Resolves once the process has written this to stderr. */
function seen({ process: child, ended }: Running, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let written = "";
    child.stderr?.on("data", (chunk: string) => {
      written += chunk;
      if (written.includes(text)) resolve();
    });
    ended.then(({ stderr }) => reject(new Error(`ended before "${text}": ${stderr}`)), reject);
  });
}

test("training that is stopped leaves what the same command goes on from, and says so", async () => {
  const running = start(
    folder,
    "train --dataset digits --limit 500 --test-limit 50 --epochs 5000 --out model.onnx".split(" "),
  );
  await seen(running, "epoch 2:");
  running.process.kill("SIGINT");
  const { status, stdout, stderr } = await running.ended;
  expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
  expect(stderr.trimEnd().split("\n").slice(-2)).toEqual([
    "wildmark: Stopped.",
    expect.stringContaining("To go on where it stopped: wildmark train --dataset digits"),
  ]);
  expect(await readdir(folder)).toEqual(["model.onnx.training"]);
  await rm(join(folder, "model.onnx.training"));
});

test("a second Ctrl-C kills at once", async () => {
  const running = start(
    folder,
    "train --dataset digits --limit 500 --test-limit 50 --epochs 5000 --out model.onnx".split(" "),
  );
  await seen(running, "epoch 1:");
  running.process.kill("SIGINT");
  running.process.kill("SIGINT");
  const { status } = await running.ended;
  // Killed by the signal (null), or stopped in order before the second one came.
  expect([null, 130]).toContain(status);
  for (const file of await readdir(folder)) {
    expect(file).toMatch(/^model\.onnx\.training/);
    await rm(join(folder, file));
  }
});

test("a stopped experiment says how to go on, and redoes only what was not finished", async () => {
  const line =
    "reproduce --dataset digits --limit 2100 --test-limit 100 --watermarks noise --metrics js --no-baselines " +
    "--epochs 2 --training-epochs 2 --budgets 0.5 --out run";
  const running = start(folder, line.split(" "));
  // Whichever of the first two, which are computed side by side.
  await seen(running, "[1/4] ");
  running.process.kill("SIGINT");
  const stopped = await running.ended;
  expect(stopped.status).toBe(130);
  expect(stopped.stderr.trimEnd().split("\n").slice(-2)).toEqual([
    "wildmark: Stopped.",
    `  To go on where it stopped: wildmark ${line}`,
  ]);
  expect(await readdir(`${folder}/run`)).not.toContain("result.json");

  const resumed = await wildmark(folder, line);
  expect(resumed.status, resumed.stderr).toBe(0);
  expect(resumed.stderr).toMatch(/\[1\/4\] .* \(found finished\)/);
  expect(resumed.stderr).toMatch(/\[4\/4\] .*(?<!found finished\))\n/);
  expect(await readdir(`${folder}/run`)).toContain("report.html");
});
