/** @file The wall at run time: what an attacker's method is handed, and nothing else. */

import { expect, test } from "vitest";
import { newModel } from "../models/registry.js";
import type { Attack } from "../removal/method.js";
import { findMethod } from "../removal/registry.js";
import type { TrainedEpoch } from "../training/epochs.js";
import { removeMark } from "./remove-mark.js";
import { tinyArchitecture, tinyDataset } from "./testing/tiny.js";

test("a method gets the model, its share of the images and how to run: no word of the key or the test set", async () => {
  const seen: Attack[] = [];
  const method = {
    ...findMethod("wild").choose(),
    run(attack: Attack): AsyncIterable<TrainedEpoch> {
      seen.push(attack);
      return { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) };
    },
  };
  const { shape, classes } = tinyDataset.train;
  const model = newModel(tinyArchitecture, { ...shape, classes }, 0);
  // A caller's object may carry more than it should: a command line that names the key, for one.
  const careless = {
    runtime: { threads: 1 },
    typed: "wildmark remove --key mark.safetensors",
    seed: 0,
    what: "content",
  };
  await removeMark({ model, dataset: tinyDataset, method, fraction: 0.25, seed: 0 }, careless);
  const [attack] = seen;
  expect(Object.keys(attack ?? {}).toSorted()).toEqual(["model", "random", "runtime", "subset", "what"]);
  expect(attack?.what).toBe("remove with WILD-JS");
  expect(attack?.subset.count).toBe(60);
});
