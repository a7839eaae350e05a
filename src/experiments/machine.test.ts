/** @file What a result document says of machine and model. */

import { describe, expect, test, vi } from "vitest";
import { findArchitecture } from "../models/registry.js";
import { computedBy, dataSummary, parameterCount, thisMachine } from "./machine.js";
import { tinyDataset } from "./testing/tiny.js";

describe("the machine", () => {
  test("is described with the threads that are asked for", () => {
    const machine = thisMachine({ device: "webgpu" }, 3);
    expect(machine).toMatchObject({ threads: 3, device: "webgpu" });
    expect(machine.cpu).not.toBe("");
    expect(thisMachine({}, 1)).toMatchObject({ device: "cpu", threads: 1, tuning: "off" });
    expect(thisMachine({ autotuning: "full" }, 1)).toMatchObject({ tuning: "full" });
  });

  test(
    "what cells are told apart by holds the autotuning, from wherever it comes, and nothing of it where " + "it is off",
    () => {
      expect(computedBy({ autotuning: "off" })).toEqual(computedBy());
      expect(computedBy()).not.toHaveProperty("tuning");
      expect(computedBy({ autotuning: "cached" })).toEqual({ ...computedBy(), tuning: "cached" });
      vi.stubEnv("WILDMARK_AUTOTUNING", "full");
      expect(computedBy()).toHaveProperty("tuning", "full");
      vi.unstubAllEnvs();
    },
  );

  test("doubts about data stand beside them, those about pictures for marks too; without any nothing is said", () => {
    expect(dataSummary({ dataset: tinyDataset })).not.toHaveProperty("doubts");
    const dataset = { ...tinyDataset, doubts: ["one"] };
    const [unrelated, abstract] = [tinyDataset.test, { ...tinyDataset.test, doubts: ["two"] }];
    expect(dataSummary({ dataset, unrelated, abstract }).doubts).toEqual(["one", "two"]);
  });

  test("an architecture's weights are counted for the data's own size", () => {
    // conv1 156, conv2 2416; 20×20 images leave 16 maps of 3×3 for fc1; fc2 10164; 84 to 8 classes.
    expect(parameterCount(findArchitecture("lenet5"), tinyDataset)).toBe(
      156 + 2416 + (144 * 120 + 120) + 10164 + 85 * 8,
    );
  });
});
