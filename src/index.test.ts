/** @file The public API does what its header shows, on a tiny data set. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  embed,
  embedFromScratchOptions,
  evaluate,
  findArchitecture,
  findMark,
  findMethod,
  loadDataset,
  loadKey,
  loadModel,
  remove,
  saveKey,
  saveModel,
  verify,
} from "./index.js";

const folder = await mkdtemp(join(tmpdir(), "wildmark-api-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

test("embed, save, load, verify, remove, verify", async () => {
  const dataset = await loadDataset("digits", { limits: { train: 800, test: 100 } });
  const start = { architecture: findArchitecture("lenet5") };
  const options = embedFromScratchOptions.parse({ epochs: 12, batch: 32 });
  const mark = findMark("noise").choose({ triggers: 30, heldOut: 10 });
  const { model, key, measured } = await embed({ dataset, mark, start, options, seed: 0 });
  await saveModel(join(folder, "marked.onnx"), model);
  await saveKey(join(folder, "mark.key"), key);

  const suspect = await loadModel(join(folder, "marked.onnx"));
  const known = await loadKey(join(folder, "mark.key"));
  expect(await evaluate(suspect, dataset.test)).toBe(measured.accuracy);
  expect(await verify(suspect, known)).toMatchObject({ owned: true, n: 30, retention: measured.retention });

  const method = findMethod("scratch").choose({ epochs: 1 });
  const cleaned = await remove({ model: suspect, dataset, method, fraction: 0.2, seed: 0, key: known });
  expect(cleaned.images).toBe(160);
  expect(cleaned.mark.verdict.owned).toBe(false);
  expect(await verify(cleaned.model, known)).toEqual(cleaned.mark.verdict);
});
