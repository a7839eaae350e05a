/** @file Adversarial neuron pruning's mechanism: the neuron that a small perturbation wakes gets the lowest mask. */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { answers } from "../data/answers.js";
import { inMemory } from "../data/pixels.js";
import { type Model, withWeights } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { learnt, tinyImages } from "../training/testing/tiny.js";
import { anp, openMasks } from "./anp.js";
import { HIDDEN, perceptron } from "./testing/perceptron.js";

const subset = tinyImages(96, { seed: 3 });
const PLANTED = 5;
const TARGET = 0;

const floats = (model: Model, name: string) => {
  const tensor = storedTensors(model.graph).get(name);
  if (tensor?.type !== "float32") throw new Error(name);
  return tensor;
};

/**
 * A backdoor: pixels of an image sum to about 18, so that the neuron stands at 18 · 5/18 − 6 = −1 and sleeps, but
 * brighter images wake it, and it answers the target class. It takes 0.4 · 5 + 0.4 · 6 more to wake it without any
 * image.
 */
function withBackdoor(model: Model): Model {
  const [into, bias, out] = ["fc1.weight", "fc1.bias", "fc2.weight"].map((name) => floats(model, name));
  if (into === undefined || bias === undefined || out === undefined) throw new Error("no weights");
  const planted = new Map([
    [
      "fc1.weight",
      float32(
        into.dims,
        into.data.map((v, i) => (Math.floor(i / 64) === PLANTED ? 5 / 18 : v)),
      ),
    ],
    [
      "fc1.bias",
      float32(
        bias.dims,
        bias.data.map((v, i) => (i === PLANTED ? -6 : v)),
      ),
    ],
    [
      "fc2.weight",
      float32(
        out.dims,
        out.data.map((v, i) => (i % HIDDEN === PLANTED ? (Math.floor(i / HIDDEN) === TARGET ? 8 : 0) : v)),
      ),
    ],
  ]);
  return withWeights(model, planted);
}

let marked: Model;
beforeAll(async () => {
  marked = withBackdoor(await learnt(perceptron(), tinyImages(96), 12));
}, 30_000);

/** Images of all classes, brighter by a corner of white. */
const triggered = {
  ...subset,
  pixels: inMemory(
    Uint8Array.from({ length: 96 * 64 }, (_, i) => {
      const white = Math.floor((i % 64) / 8) < 5 && i % 8 < 5;
      return white ? 255 : 60;
    }),
  ),
};
const answersTarget = async (model: Model): Promise<number> =>
  (await answers(model, triggered)).filter((answer) => answer === TARGET).length / triggered.count;

const chosen = anp.options.parse({ iterations: 60, batch: 32 });

test("the neuron that a perturbation wakes gets the lowest mask of all", async () => {
  const search = await openMasks({ model: marked, subset, random: randomStream(1) }, chosen);
  const losses: number[] = [];
  for (let iteration = 1; iteration <= chosen.iterations; iteration++) losses.push(await search.step(iteration));
  const [{ mask } = { mask: new Float32Array(0) }, ...others] = search.masks();
  await search.release();
  expect(others).toEqual([]);
  expect(mask.every((value) => value >= 0 && value <= 1)).toBe(true);
  expect(mask.indexOf(Math.min(...mask))).toBe(PLANTED);
  expect(mask[PLANTED]).toBeLessThan(chosen.threshold);
  expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
});

test(
  "without it the backdoor is gone: its weight is zero, its bias stays, and so do the neurons of " + "whole masks",
  async () => {
    expect(await answersTarget(marked)).toBe(1);
    let cleaned = marked;
    for await (const stage of anp.run({ model: marked, subset, random: randomStream(1) }, chosen))
      cleaned = stage.model();
    const rows = Array.from({ length: HIDDEN }, (_, unit) =>
      floats(cleaned, "fc1.weight").data.subarray(64 * unit, 64 * unit + 64),
    );
    expect(rows[PLANTED]?.every((value) => value === 0)).toBe(true);
    expect(rows.filter((row) => row.every((value) => value === 0)).length).toBeLessThan(HIDDEN / 2);
    expect(floats(cleaned, "fc1.bias").data).toEqual(floats(marked, "fc1.bias").data);
    expect(floats(cleaned, "fc2.weight").data).toEqual(floats(marked, "fc2.weight").data);
    expect(await answersTarget(cleaned)).toBe(0);
  },
);

test("the perturbation raises the loss, and the more the larger it may be", async () => {
  const model = await learnt(perceptron(), tinyImages(96), 4);
  const lossAt = async (epsilon: number): Promise<number> => {
    const search = await openMasks({ model, subset, random: randomStream(1) }, { ...chosen, epsilon, alpha: 0 });
    const loss = await search.step(1);
    await search.release();
    return loss;
  };
  const [none, some, most] = [await lossAt(0), await lossAt(0.2), await lossAt(0.4)];
  expect(some).toBeGreaterThan(1.1 * none);
  expect(most).toBeGreaterThan(1.1 * some);
});

test("without perturbation nothing tells it from others: it keeps its mask", async () => {
  const calm = { ...chosen, epsilon: 0, iterations: 20 };
  const search = await openMasks({ model: marked, subset, random: randomStream(1) }, calm);
  for (let iteration = 1; iteration <= calm.iterations; iteration++) await search.step(iteration);
  const [{ mask } = { mask: new Float32Array(0) }] = search.masks();
  await search.release();
  expect(mask[PLANTED]).toBe(1);
});

test("shows ten models on the way at most, the last after the last iteration", async () => {
  const epochs: number[] = [];
  const attack = { model: marked, subset, random: randomStream(1) };
  for await (const { epoch } of anp.run(attack, { ...chosen, iterations: 25 })) epochs.push(epoch);
  expect(epochs).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});
