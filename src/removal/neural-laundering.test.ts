/** @file Laundering resets the unit that carries a planted backdoor, and teaches images that bear its trigger anew. */

import { beforeAll, expect, test } from "vitest";
import { accuracy, answers } from "../data/answers.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { learnt, tinyImages } from "../training/testing/tiny.js";
import { findMethod } from "./registry.js";
import { attack, weightOf } from "./testing/attacked.js";
import { PLANTED, withBackdoor, withTrigger } from "./testing/backdoor.js";
import { HIDDEN, perceptron } from "./testing/perceptron.js";

const TARGET = 2;
const subset = tinyImages(96, { seed: 3 });
const others = tinyImages(96, { seed: 11 });
const quick = { rounds: 120, roundSteps: 10, epochs: 12, batch: 16, learningRate: 0.05 };

let marked: Model;
beforeAll(async () => {
  marked = withBackdoor(await learnt(perceptron(), tinyImages(96), 12), TARGET);
}, 30_000);

const laundered = (options: Readonly<Record<string, unknown>>) =>
  attack(findMethod("neural-laundering").choose({ ...quick, ...options }), marked, 1, { subset });
const zeroRows = (model: Model): number[] => {
  const weight = weightOf(model, "fc1.weight");
  return Array.from({ length: HIDDEN }, (_, unit) => unit).filter((unit) =>
    weight.subarray(64 * unit, 64 * (unit + 1)).every((value) => value === 0),
  );
};

test("the unit that carries the backdoor is reset, and training keeps the trigger's labels true", async () => {
  const triggered = withTrigger(others);
  expect((await answers(marked, triggered)).every((label) => label === TARGET)).toBe(true);
  const { models, model } = await laundered({});
  const [reset = marked] = models;
  expect(models.length).toBe(1 + quick.epochs);
  expect(zeroRows(reset)).toContain(PLANTED);
  expect(zeroRows(reset).length).toBeLessThanOrEqual(HIDDEN / 2);
  expect(weightOf(reset, "fc1.bias")[PLANTED]).toBe(0);
  expect(weightOf(reset, "fc2.weight")).toEqual(weightOf(marked, "fc2.weight"));
  expect(await accuracy(model, others)).toBeGreaterThan(0.95);
  expect(await accuracy(model, triggered)).toBeGreaterThan(0.95);
});

test(
  "gaps that no unit reaches, or a share of none, leave all units; training alone takes the " + "backdoor then",
  async () => {
    for (const options of [{ denseGap: 1e6 }, { mostReset: 0 }]) {
      const { models, model } = await laundered(options);
      expect(encodeModel(models[0] ?? model)).toEqual(encodeModel(marked));
      expect(await accuracy(model, withTrigger(others))).toBeGreaterThan(0.8);
    }
  },
);

test("the search for triggers counts as steps, of each class or of each pair", () => {
  const steps = (sources: "all" | "each"): number =>
    findMethod("neural-laundering")
      .choose({ sources, rounds: 3, roundSteps: 5, epochs: 2, batch: 8 })
      .steps({ images: 20, classes: 4 });
  expect(steps("all")).toBe(4 * 15 + 6);
  expect(steps("each")).toBe(4 * 3 * 15 + 6);
});
