/** @file The paper's experiment as a spec. */

import { describe, expect, test } from "vitest";
import { findArchitecture } from "../../models/registry.js";
import { embedFromScratchOptions } from "../../watermarks/embed.js";
import { tinyDataset } from "../testing/tiny.js";
import { type ReproduceChoices, reproduceSpec } from "./reproduce.js";

const choices: ReproduceChoices = {
  dataset: tinyDataset,
  architecture: findArchitecture("lenet5"),
  marks: ["noise", "content", "noise"],
  metrics: ["js", "ce", "js"],
  baselines: true,
  seeds: [0, 1],
};

describe("the paper's spec", () => {
  test("has each mark and each metric once, in the order given, then the baselines", () => {
    const spec = reproduceSpec(choices);
    expect(spec.subjects.map(({ name }) => name)).toEqual(["noise", "content"]);
    expect(spec.removers.slice(0, 2).map(({ name }) => name)).toEqual(["WILD-JS", "WILD-CE"]);
    expect(spec.removers.map(({ chosen }) => chosen.baseline)).toEqual([false, false, true, true, true]);
    expect(spec.training).toEqual(embedFromScratchOptions.parse({}));
    expect(spec).toMatchObject({ budgets: [0.1], seeds: [0, 1], nullModels: [0, 1] });
  });

  test("hands the epochs to every removal, and those of training to training only", () => {
    const spec = reproduceSpec({ ...choices, epochs: 3, trainingEpochs: 2 });
    for (const { chosen } of spec.removers) expect(chosen.options.epochs).toBe(3);
    expect(spec.training.epochs).toBe(2);
  });

  test("takes what every experiment takes: budgets in order, more null models, re-activation, a price", () => {
    const more = { budgets: [0.2, 0.01, 0.2], nullModels: 4, reactivation: true, acceptableDrop: 0.01, alpha: 0.01 };
    expect(reproduceSpec({ ...choices, ...more })).toMatchObject({
      budgets: [0.01, 0.2],
      nullModels: [0, 1, 2, 3],
      decision: { alpha: 0.01, acceptableDrop: 0.01 },
      observe: { reactivation: { steps: 200 } },
    });
  });

  test("can do without baselines, and refuses marks and budgets that there are not", () => {
    expect(reproduceSpec({ ...choices, baselines: false }).removers.length).toBe(2);
    expect(() => reproduceSpec({ ...choices, marks: ["nonsense"] })).toThrow(
      expect.objectContaining({ code: "usage" }),
    );
    for (const budgets of [[], [0], [1.5]]) {
      expect(() => reproduceSpec({ ...choices, budgets })).toThrow(expect.objectContaining({ code: "usage" }));
    }
  });
});
