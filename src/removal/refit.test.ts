/**
 * @file REFIT's two aids do what its paper says: EWC holds the weights that matter, AU keeps the marked model's
 * answers.
 */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { answers } from "../data/answers.js";
import { type Model, withWeights } from "../onnx/model.js";
import { agreement } from "../training/evaluate.js";
import { fisherInformation } from "./elastic-weights.js";
import { findMethod } from "./registry.js";
import { attack, subset, trainedTinyModel, unlabelled, weightOf } from "./testing/attacked.js";

let marked: Model;
beforeAll(async () => {
  marked = await trainedTinyModel();
});

/** Long and fast enough to move every weight that nothing holds. */
const SETTINGS = {
  epochs: 8,
  batch: 8,
  learningRate: 0.1,
  momentum: 0,
  weightDecay: 0,
  clipRatio: 0,
  schedule: "constant",
};
const HELD = ["conv.weight", "fc1.weight", "fc2.weight"];

/** How far each weight of `names` has moved. */
const moved = (before: Model, after: Model, names: readonly string[] = HELD): number[] =>
  names.flatMap((name) => {
    const now = weightOf(after, name);
    return Array.from(weightOf(before, name), (value, i) => Math.abs((now[i] ?? 0) - value));
  });
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test("weights of high Fisher information hardly move, those of low do; with a huge c none does", async () => {
  // Labels that the model does not answer, so that there is something to move for.
  const wrong = { ...subset, labels: subset.labels.map((label) => (label + 1) % subset.classes) };
  const information = await fisherInformation({ model: marked, subset, random: randomStream(3) }, HELD, 500);
  const importance = HELD.flatMap((name) => [...(information.get(name)?.data ?? [])]);
  const order = importance.flatMap((value, i) => (value > 0 ? [i] : []));
  order.sort((a, b) => (importance[b] ?? 0) - (importance[a] ?? 0));

  const course = async (id: string, more: Readonly<Record<string, unknown>>): Promise<number[]> => {
    const method = findMethod(id).choose({ ...SETTINGS, ...more });
    return moved(marked, (await attack(method, marked, 1, { subset: wrong })).model);
  };
  const free = await course("refit", {});
  const share = async (c: number): Promise<{ readonly high: number; readonly low: number }> => {
    const held = await course("refit-ewc", { ewc: c, fisherSamples: 500 });
    const at = (places: readonly number[]): number =>
      mean(places.map((i) => held[i] ?? 0)) / mean(places.map((i) => free[i] ?? 0));
    return { high: at(order.slice(0, 20)), low: at(order.slice(-100)) };
  };
  // At c F above 1/η each step undoes what the step before did, and leaves its own move of the 24.
  const huge = await share(1e5);
  expect(Math.max(huge.high, huge.low)).toBeLessThan(0.25);
  const published = await share(10);
  expect(published.high).toBeLessThan(0.25);
  expect(published.low).toBeGreaterThan(0.75);
});

test("a last layer that was drawn anew is not held where it was", async () => {
  const method = findMethod("refit-ewc").choose({ ...SETTINGS, ewc: 1e6, fisherSamples: 200, restart: true });
  const { model } = await attack(method, marked, 1);
  expect(mean(moved(marked, model, ["fc1.weight"]))).toBeLessThan(0.02);
  // As far from the marked layer as where nothing is held at all.
  const basic = findMethod("refit").choose({ ...SETTINGS, restart: true });
  const free = moved(marked, (await attack(basic, marked, 1)).model, ["fc2.weight"]);
  expect(mean(moved(marked, model, ["fc2.weight"]))).toBeGreaterThan(0.8 * mean(free));
});

test(
  "with unlabelled images the model is trained towards the marked model's answers on them, whatever " + "these are",
  async () => {
    const bias = weightOf(marked, "fc2.bias").map((value, i) => (i === 3 ? value + 10 : value));
    // Answers 3 to everything, and the attacker's labels say otherwise.
    const stubborn = withWeights(marked, new Map([["fc2.bias", float32([4], bias)]]));
    const answersOf = async (id: string, more: Readonly<Record<string, unknown>>): Promise<Uint16Array> => {
      const method = findMethod(id).choose({ ...SETTINGS, epochs: 20, momentum: 0.9, ...more });
      return answers((await attack(method, stubborn, 1)).model, unlabelled);
    };
    const own = await answers(stubborn, unlabelled);
    expect(new Set(own)).toEqual(new Set([3]));
    const basic = await answersOf("refit", {});
    const augmented = await answersOf("refit-au", { unlabelledPerStep: 24 });
    expect(agreement(basic, own)).toBeLessThan(0.5);
    expect(agreement(augmented, own)).toBeGreaterThan(0.9);
  },
);
