/**
 * @file Attacks of the related work by what they must achieve on a real mark: a content mark in LeNet-5 on the built-in
 * digits. What they do on MNIST is in docs/methods.md.
 */

import { beforeAll, expect, test } from "vitest";
import { makeDataset } from "../src/data/dataset.js";
import { renderDigits } from "../src/data/digits.js";
import { type MarkedModel, markModel } from "../src/tasks/mark-model.js";
import { removeMark } from "../src/tasks/remove-mark.js";
import { findArchitecture } from "../src/models/registry.js";
import { findMethod } from "../src/removal/registry.js";
import { embedFromScratchOptions } from "../src/watermarks/embed.js";
import { findMark } from "../src/watermarks/registry.js";

const dataset = makeDataset({
  id: "digits",
  title: "Rendered digits",
  train: renderDigits("train", 1_500, 0),
  test: renderDigits("test", 400, 0),
});

let marked: MarkedModel;
beforeAll(async () => {
  marked = await markModel({
    dataset,
    mark: findMark("content").choose({ triggers: 60, heldOut: 40 }),
    start: { architecture: findArchitecture("lenet5") },
    options: embedFromScratchOptions.parse({ epochs: 12, batch: 64, learningRate: 0.05 }),
    seed: 0,
  });
}, 120_000);

const attacked = (id: string, options: Readonly<Record<string, unknown>> = {}) => {
  const { model, key } = marked;
  return removeMark({ model, dataset, method: findMethod(id).choose(options), fraction: 0.3, seed: 0, key });
};

test.each(["model-extraction", "distillation"])("%s leaves no mark, for at most 5 points", async (id) => {
  expect(marked.measured.retention).toBeGreaterThanOrEqual(0.95);
  const { mark, accuracyAfter } = await attacked(id);
  expect(mark.after.retention).toBeLessThan(0.25);
  expect(mark.verdict.owned).toBe(false);
  expect(accuracyAfter).toBeGreaterThan(marked.measured.accuracy - 0.05);
});

test("strong weight decay costs the mark a fifth or more of its triggers, in both published forms", async () => {
  for (const form of findMethod("weight-decay").variants) {
    expect((await attacked("weight-decay", form)).mark.after.retention).toBeLessThan(0.8);
  }
});
