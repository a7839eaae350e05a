/** @file Before anything long is begun, it is said what is planted in a given model's graph. */

import { expect, test } from "vitest";
import { makeDataset } from "../../data/dataset.js";
import { renderDigits } from "../../data/digits.js";
import { plantedModels } from "../../detection/testing/planting.js";
import { findArchitecture, newModel } from "../../models/registry.js";
import type { Key } from "../../ownership/key.js";
import { auditSpec } from "./audit.js";
import { settleGiven } from "./given.js";

const dataset = makeDataset({
  id: "digits",
  title: "Rendered digits",
  train: renderDigits("train", 100, 0),
  test: renderDigits("test", 50, 0),
});
const { shape, classes } = dataset.train;

const key: Key = {
  scheme: "content",
  seed: 0,
  classes,
  shape,
  triggers: { images: new Uint8Array(784), count: 1, labels: new Uint16Array(1) },
  heldOut: undefined,
  placebos: undefined,
  sourceLabels: undefined,
  options: {},
  modelSha256: "0".repeat(64),
  createdBy: "wildmark test",
};

test("an audit notes a planted gate, and nothing of a clean graph", async () => {
  const clean = newModel(findArchitecture("cnn-2"), { ...shape, classes }, 1);
  const planted = plantedModels(clean).find(({ name }) => name === "Where")?.model ?? clean;
  const notesOf = async (model: typeof clean): Promise<readonly string[]> => {
    const notes: string[] = [];
    const spec = auditSpec({ model, key, dataset, files: { model: "bought.onnx", key: "the key" } });
    const progress = { update: () => {}, note: (line: string) => void notes.push(line) };
    await settleGiven(spec, { asRead: true, words: "flags", progress });
    return notes.filter((line) => line.includes("graph"));
  };
  expect(await notesOf(clean)).toEqual([]);
  const [first, ...others] = await notesOf(planted);
  expect(first).toMatch(/^warning: bought\.onnx: something is planted in its graph\. A node decided by the pixels/);
  expect(others).toEqual([]);
});
