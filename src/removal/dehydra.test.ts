/**
 * @file Dehydra: recovered images lose their class while clean ones keep theirs, with the attacker's images or without.
 */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { accuracy } from "../data/answers.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { graphBuilder } from "../onnx/builder.js";
import { createSession } from "../runtime/session.js";
import { learnt, tinyImages } from "../training/testing/tiny.js";
import { unlearningObjective } from "./dehydra.js";
import { recoveredImages } from "../data/recovered-images.js";
import { findMethod } from "./registry.js";
import { attack } from "./testing/attacked.js";
import { perceptron } from "./testing/perceptron.js";

const subset = tinyImages(64, { seed: 3 });
const others = tinyImages(96, { seed: 11 });
const quick = { recovered: 10, recoverySteps: 80, epochs: 15, batch: 16, learningRate: 0.05, recoveredPerStep: 8 };

let marked: Model;
beforeAll(async () => {
  marked = await learnt(perceptron(), tinyImages(96), 12);
}, 30_000);

const dehydrated = (options: Readonly<Record<string, unknown>>, images = subset) =>
  attack(findMethod("dehydra").choose({ ...quick, ...options }), marked, 1, { subset: images });

test(
  "the loss is CE on the clean rows and w / K times KL from an even answer on the others, whatever " + "their targets",
  async () => {
    const logits = [
      [1, -2, 0.5],
      [3, 0, 0],
      [0.2, 1, -1],
    ];
    const logSoftmax = (scores: readonly number[]): number[] => {
      const logSum = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
      return scores.map((score) => score - logSum);
    };
    const b = graphBuilder("objective");
    b.input("logits", "float32", [3, 3]);
    const context = { batch: 3, images: "none", features: "none", logits: "logits" };
    const targets = b.initializer("targets", float32([3, 3], [0, 1, 0, 1, 0, 0, 1, 0, 0]));
    b.output(unlearningObjective(2, 3, 6).build({ b, ...context, targets }).loss);
    const session = await createSession(b.build());
    const [found] = (await session.run(new Map([["logits", float32([3, 3], logits.flat())]]))).values();
    await session.release();
    const kl = (scores: readonly number[]): number =>
      logSoftmax(scores).reduce((sum, log) => sum + (Math.log(1 / 3) - log) / 3, 0);
    const [clean = [], ...recovered] = logits;
    const expected = -(logSoftmax(clean)[1] ?? 0) + ((6 / 3) * recovered.reduce((sum, row) => sum + kl(row), 0)) / 2;
    expect(Number(found?.data[0])).toBeCloseTo(expected, 5);
  },
);

test(
  "recovered images lose their class, clean ones keep theirs; without a weight on it they " + "lose nothing",
  async () => {
    const recovered = await recoveredImages(
      { model: marked, subset, random: randomStream(7) },
      { perClass: 10, steps: 80 },
    );
    const [cleaned, kept] = [(await dehydrated({})).model, (await dehydrated({ unlearning: 0 })).model];
    expect(await accuracy(marked, recovered)).toBe(1);
    expect(await accuracy(kept, recovered)).toBeGreaterThan(0.9);
    expect(await accuracy(cleaned, recovered)).toBeLessThan(0.7);
    for (const model of [cleaned, kept]) expect(await accuracy(model, others)).toBeGreaterThan(0.9);
  },
);

test("data-free, the attacker's images do not count, only their shape and classes", async () => {
  const free = { dataFree: true, epochs: 4 };
  const one = await dehydrated(free);
  const other = await dehydrated(free, tinyImages(24, { seed: 99 }));
  expect(encodeModel(one.model)).toEqual(encodeModel(other.model));
  expect(encodeModel(one.model)).not.toEqual(encodeModel(marked));
  expect(await accuracy(one.model, others)).toBeGreaterThan(0.6);
});

test("the search for images counts as steps, and data-free its images are trained on", () => {
  const options = { recovered: 130, recoverySteps: 10, epochs: 2, batch: 8 };
  const steps = (dataFree: boolean): number =>
    findMethod("dehydra")
      .choose({ ...options, dataFree })
      .steps({ images: 20, classes: 4 });
  // Two searches of up to 125 images for each class.
  expect(steps(false)).toBe(4 * 2 * 10 + 2 * 3);
  expect(steps(true)).toBe(4 * 2 * 10 + 2 * 65);
});
