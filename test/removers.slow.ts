/**
 * @file Removers that look at units and attention, by what they are to do to a real mark: LeNet-5 and a content mark on
 * the built-in digits. What each one's mechanism is, the fast tests say.
 */

import { beforeAll, describe, expect, test } from "vitest";
import { binomialTail } from "../src/core/statistics.js";
import { makeDataset } from "../src/data/dataset.js";
import { renderDigits } from "../src/data/digits.js";
import { type MarkedModel, markModel } from "../src/tasks/mark-model.js";
import { removeMark } from "../src/tasks/remove-mark.js";
import { findArchitecture } from "../src/models/registry.js";
import { findMethod } from "../src/removal/registry.js";
import { embedFromScratchOptions } from "../src/watermarks/embed.js";
import { findMark } from "../src/watermarks/registry.js";

const TRIGGERS = 60;
const dataset = makeDataset({
  id: "digits",
  title: "Rendered digits",
  train: renderDigits("train", 1_500, 0),
  test: renderDigits("test", 400, 0),
});

let marked: MarkedModel;
beforeAll(async () => {
  const mark = findMark("content").choose({ triggers: TRIGGERS, heldOut: 40 });
  const options = embedFromScratchOptions.parse({ epochs: 12, batch: 64, learningRate: 0.05 });
  const start = { architecture: findArchitecture("lenet5") };
  marked = await markModel({ dataset, mark, start, options, seed: 0 });
  expect(marked.measured.retention).toBeGreaterThanOrEqual(0.95);
}, 300_000);

const removed = (id: string, options: Readonly<Record<string, unknown>> = {}) => {
  const { model, key } = marked;
  return removeMark({ model, dataset, method: findMethod(id).choose(options), fraction: 0.3, seed: 0, key });
};

/** Matches that luck gives 1 time in 20: below it nothing shows the mark, whatever the other tests say. */
const byLuck = Array.from({ length: TRIGGERS }, (_, k) => k).find((k) => binomialTail(k, TRIGGERS, 0.1) <= 0.05) ?? 0;

describe("those that tune weaken the mark", () => {
  test("fine-pruning takes a part of it, and a stack that ends in WILD all", async () => {
    const pruned = await removed("fine-pruning");
    expect(pruned.mark.after.retention).toBeLessThan(0.75);
    expect(pruned.accuracyAfter).toBeGreaterThan(marked.measured.accuracy - 0.06);

    const both = await removed("stack", { methods: "fine-pruning?epochs=12,wild?epochs=12" });
    expect(both.mark.after.retention * TRIGGERS).toBeLessThan(byLuck);
    expect(both.mark.verdict.owned).toBe(false);
    expect(both.accuracyAfter).toBeGreaterThan(marked.measured.accuracy - 0.06);
  });

  // With 450 images its published 20 epochs are 160 steps, too few for this mark; on MNIST it falls (docs/methods.md).
  test.each(["last", "stages"])("NAD (%s) keeps accuracy, whatever becomes of the mark", async (layers) => {
    const cleaned = await removed("nad", { layers });
    expect(cleaned.accuracyAfter).toBeGreaterThan(marked.measured.accuracy - 0.03);
  });
});

describe("those that only take weights away cost little and leave it", () => {
  test.each([
    ["quantisation", { bits: 8 }, 0.01],
    ["quantisation", { bits: 4 }, 0.03],
    ["magnitude-pruning", { sparsity: 0.5 }, 0.06],
    ["anp", {}, 0.06],
  ])("%s %j", async (id, options, drop) => {
    const cleaned = await removed(id, options);
    expect(cleaned.mark.verdict.owned).toBe(true);
    expect(cleaned.accuracyAfter).toBeGreaterThan(marked.measured.accuracy - drop);
  });
});
