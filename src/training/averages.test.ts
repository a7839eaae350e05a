/** @file Averages of weights against their formulas, and in training. */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import type { Model } from "../onnx/model.js";
import { averagingText, parseAveraging, startAverage } from "./averages.js";
import { trainEpochs } from "./epochs.js";
import { crossEntropyObjective } from "./objective.js";
import { tinyImages, tinyModel } from "./testing/tiny.js";

/** A training of one number, which goes to 1, 2, 3, … unless it is put elsewhere. */
function counting() {
  let value = 0;
  const one = (of: number): ReadonlyMap<string, FloatTensor> => new Map([["w", float32([1], [of])]]);
  return {
    step: {
      weights: async () => new Map(one(value)),
      replace: async (weights: ReadonlyMap<string, FloatTensor>) => {
        value = weights.get("w")?.data[0] ?? Number.NaN;
      },
    },
    advance: () => {
      value += 1;
    },
    now: () => value,
  };
}

const only = (weights: ReadonlyMap<string, FloatTensor>): number => weights.get("w")?.data[0] ?? Number.NaN;

test("a moving average forgets its start, then keeps its share", async () => {
  const training = counting();
  const average = await startAverage(parseAveraging("ema:0.5"), training.step, 20);
  let expected = 0;
  for (let done = 1; done <= 20; done++) {
    training.advance();
    await average.after(done);
    const kept = Math.min(0.5, (1 + done) / (10 + done));
    expected = kept * expected + (1 - kept) * done;
    expect(only(average.weights())).toBeCloseTo(expected, 4);
  }
  expect(training.now()).toBe(20);
});

test("lookahead: every few steps training goes on from slow weights", async () => {
  const training = counting();
  const average = await startAverage(parseAveraging("lookahead:3:0.25"), training.step, 6);
  for (let done = 1; done <= 3; done++) {
    training.advance();
    await average.after(done);
  }
  expect(training.now()).toBeCloseTo(2.25, 6);
  expect(only(average.weights())).toBeCloseTo(2.25, 6);
  for (let done = 4; done <= 6; done++) {
    training.advance();
    await average.after(done);
  }
  expect(training.now()).toBeCloseTo(0.25 * 2.25 + 0.75 * 5.25, 6);
});

test("lookahead whose share rises: hardly any at first", async () => {
  const training = counting();
  const average = await startAverage(parseAveraging("lookahead:1:0.8:3"), training.step, 2);
  training.advance();
  await average.after(1);
  expect(training.now()).toBeCloseTo(1 - 0.8 * 0.125, 6);
});

test("what is given back is a copy", async () => {
  const training = counting();
  const average = await startAverage(parseAveraging("ema:0"), training.step, 2);
  const before = average.weights();
  training.advance();
  await average.after(1);
  expect(only(before)).toBe(0);
});

test("texts are read, and refused", () => {
  expect(parseAveraging("ema")).toEqual({ kind: "ema", decay: 0.999 });
  expect(parseAveraging("lookahead:5:0.77:3")).toEqual({ kind: "lookahead", every: 5, kept: 0.77, power: 3 });
  for (const text of ["", "none", "ema:1", "ema:", "ema:0.9:1", "lookahead:0", "lookahead:5:1", "lookahead:5:0.5:-1"]) {
    expect(averagingText.safeParse(text).success, text).toBe(false);
  }
});

test.each(["ema:0.9", "lookahead:2"])("%s in training: another model, which knows the images too", async (text) => {
  const images = tinyImages(32);
  const trained = async (average?: string): Promise<{ readonly model: Model; readonly loss: number }> => {
    const plan = {
      objective: crossEntropyObjective(),
      optimizer: { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 } as const,
      ...{ learningRate: 0.05, schedule: { kind: "constant" } as const, epochs: 15 },
      ...{ train: "all" as const, batchNorm: "train" as const },
      ...(average === undefined ? {} : { average: parseAveraging(average) }),
    };
    const feed = imageFeed(images, { batch: 8, views: [cleanView], random: randomStream(1) });
    let last: { readonly model: Model; readonly loss: number } | undefined;
    for await (const epoch of trainEpochs(tinyModel({ batchNorm: true }), plan, feed)) {
      last = { model: epoch.model(), loss: epoch.loss };
    }
    if (last === undefined) throw new Error("no epoch");
    return last;
  };
  const [plain, averaged] = [await trained(), await trained(text)];
  expect(averaged.loss).toBeLessThan(0.8);
  for (const name of ["fc1.weight", "bn.mean"]) {
    expect(averaged.model.graph.initializers.get(name)).not.toEqual(plain.model.graph.initializers.get(name));
  }
});
