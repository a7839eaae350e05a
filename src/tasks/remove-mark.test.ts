/** @file The wall at run time: what an attacker's method is handed, and nothing else. */

import { describe, expect, test } from "vitest";
import { tinyArchitecture, tinyDataset } from "../experiments/testing/tiny.js";
import { newModel } from "../models/registry.js";
import type { Attack } from "../removal/method.js";
import { type ChosenMethod, findMethod } from "../removal/registry.js";
import type { TrainedEpoch } from "../training/epochs.js";
import { attackerSubset, unlabelledSubset } from "./attacker-images.js";
import { removeMark } from "./remove-mark.js";

/** A method that does nothing and remembers what it was handed. */
function watched(more: Partial<ChosenMethod> = {}) {
  const seen: Attack[] = [];
  const method: ChosenMethod = {
    ...findMethod("wild").choose(),
    ...more,
    run(attack: Attack): AsyncIterable<TrainedEpoch> {
      seen.push(attack);
      return { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) };
    },
  };
  return { method, seen };
}

test(
  "a method gets the model, its share of the images and how to run: no word of the key or the " + "test set",
  async () => {
    const { method, seen } = watched();
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
  },
);

describe("images without labels", () => {
  const removal = { dataset: tinyDataset, fraction: 0.25, seed: 0 };

  test(
    "go to the methods that need them, as many as are labelled unless told otherwise, and none " + "is in both",
    async () => {
      const { method, seen } = watched({ needs: ["labelled", "unlabelled"] });
      const { shape, classes } = tinyDataset.train;
      const model = newModel(tinyArchitecture, { ...shape, classes }, 0);
      const cleaned = await removeMark({ ...removal, model, method });
      expect(seen[0]?.unlabelled?.count).toBe(60);
      expect(Object.keys(seen[0]?.unlabelled ?? {}).toSorted()).toEqual(["count", "pixels", "shape"]);
      expect(cleaned).toMatchObject({ images: 60, unlabelledImages: 60 });
      await removeMark({ ...removal, unlabelled: 0.5, model, method });
      expect(seen[1]?.unlabelled?.count).toBe(120);

      const both = [...attackerSubset(removal), ...unlabelledSubset({ ...removal, unlabelled: 0.75 })];
      expect(both.toSorted((a, b) => a - b)).toEqual([...tinyDataset.train.labels.keys()]);
    },
  );

  test("are refused where the labelled ones leave none, or for a share that cannot be", () => {
    expect(() => unlabelledSubset({ ...removal, fraction: 1 })).toThrow(expect.objectContaining({ code: "bad-data" }));
    expect(() => unlabelledSubset({ ...removal, unlabelled: 0 })).toThrow(expect.objectContaining({ code: "usage" }));
  });
});
