/** @file `--device` on the command line: picked by trying, and what is not here is said. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeModel } from "../../src/onnx/model.js";
import { tinyModel } from "../../src/training/testing/tiny.js";
import { wildmark, workFolder } from "./command-line.js";

const work = await workFolder();
const { folder } = work;
const EVALUATE = "evaluate tiny.onnx --dataset digits --limit 20 --test-limit 20";

beforeAll(async () => {
  await writeFile(join(folder, "tiny.onnx"), encodeModel(tinyModel({ side: 28, classes: 10 })));
});
afterAll(work.remove);

test("auto tries the network on each device, says which it picks and why, and goes on", async () => {
  const { status, stdout, stderr } = await wildmark(folder, `${EVALUATE} --device auto --json`);
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/device: (cpu|webgpu|cuda) \(answers to 64 images: cpu [\d.e+-]+ ms, webgpu /);
  expect(JSON.parse(stdout)).toHaveProperty("accuracy");
});

test("auto of training tries a step of training", async () => {
  const train = "train --dataset digits --limit 64 --test-limit 20 --epochs 1 --out new.onnx --device auto";
  const { status, stderr } = await wildmark(folder, train);
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(/device: (cpu|webgpu|cuda) \(a training step on 64 images: cpu [\d.e+-]+ ms, webgpu /);
});

test("auto of a command that runs no network tries nothing", async () => {
  const { status, stderr } = await wildmark(folder, "list marks --device auto");
  expect(status).toBe(0);
  expect(stderr).toBe("");
});

test("a device that is not here is an error that names it, not a silent CPU", async () => {
  const { status, stderr } = await wildmark(folder, `${EVALUATE} --device cuda`);
  if (status !== 0) expect(stderr).toMatch(/no CUDA provider on this machine[\s\S]*--device cpu/);
});
