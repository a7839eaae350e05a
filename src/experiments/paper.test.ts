/** @file The paper's experiment as a spec. */

import { describe, expect, test } from "vitest";
import { findArchitecture } from "../models/registry.js";
import { embedFromScratchOptions } from "../watermarks/embed.js";
import { type PaperChoices, paperSpec } from "./paper.js";
import { tinyDataset } from "./testing/tiny.js";

const choices: PaperChoices = {
  dataset: tinyDataset,
  architecture: findArchitecture("lenet5"),
  marks: ["noise", "content", "noise"],
  metrics: ["js", "ce", "js"],
  controls: true,
  fraction: 0.1,
  seeds: [0, 1],
};

describe("the paper's spec", () => {
  test("has each mark and each metric once, in the order given, then the controls", () => {
    const spec = paperSpec(choices);
    expect(spec.marks.map(({ id }) => id)).toEqual(["noise", "content"]);
    expect(spec.removals.slice(0, 2).map(({ label }) => label)).toEqual(["WILD-JS", "WILD-CE"]);
    expect(spec.removals.map(({ control }) => control)).toEqual([false, false, true, true, true]);
    expect(spec.training).toEqual(embedFromScratchOptions.parse({}));
    expect(spec).toMatchObject({ fraction: 0.1, seeds: [0, 1] });
  });

  test("hands the epochs to every removal, and those of training to training only", () => {
    const spec = paperSpec({ ...choices, epochs: 3, trainingEpochs: 2 });
    for (const { options } of spec.removals) expect(options.epochs).toBe(3);
    expect(spec.training.epochs).toBe(2);
  });

  test("can do without controls, and refuses marks that there are not", () => {
    expect(paperSpec({ ...choices, controls: false }).removals.length).toBe(2);
    expect(() => paperSpec({ ...choices, marks: ["nonsense"] })).toThrow(expect.objectContaining({ code: "usage" }));
  });
});
