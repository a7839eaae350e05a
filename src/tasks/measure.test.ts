/** @file Measuring from outside: what is measured, when, and what is told of it. */

import { expect, test } from "vitest";
import { answers } from "../data/answers.js";
import { copyPixels, type LabelledImages, relabel } from "../data/dataset.js";
import { encodeModel, type Model, withMetadata } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import type { TrainedEpoch } from "../training/epochs.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { measure, runEpochs, yardstickOf } from "./measure.js";
import type { EpochRecord, Measurement } from "./records.js";

const model = tinyModel();
const shared = { shape: { channels: 1, height: 8, width: 8 }, classes: 4 };

test("accuracy, retention and held-out retention are shares of the right images", async () => {
  const [test1, triggers, heldOut] = [tinyImages(20), tinyImages(10, { seed: 1 }), tinyImages(8, { seed: 2 })];
  const given = await answers(model, test1);
  const right = { ...test1, labels: given };
  const wrong = { ...triggers, labels: (await answers(model, triggers)).map((answer) => (answer + 1) % 4) };
  const half = (await answers(model, heldOut)).map((answer, i) => (i % 2 === 0 ? answer : (answer + 1) % 4));
  expect(await measure(model, { test: right, triggers: wrong, heldOut: { ...heldOut, labels: half } })).toEqual({
    accuracy: 1,
    retention: 0,
    heldOutRetention: 0.5,
  });
  expect(Object.keys(await measure(model, { test: right, triggers: wrong }))).toEqual(["accuracy", "retention"]);
});

const held = (set: LabelledImages) => ({ ...set, images: copyPixels(set) });

test("a key's yardstick is its triggers and, where it has them, its held-out triggers", () => {
  const [triggers, heldOut] = [relabel(tinyImages(3), 2), relabel(tinyImages(2), 1)];
  const key: Key = {
    ...shared,
    ...{ scheme: "content", seed: 0, options: {}, modelSha256: "0".repeat(64), createdBy: "a test" },
    ...{ triggers: held(triggers), heldOut: held(heldOut), placebos: undefined, sourceLabels: undefined },
  };
  const images = tinyImages(5);
  expect(yardstickOf(key, images)).toEqual({ test: images, triggers, heldOut });
  expect(yardstickOf({ ...key, heldOut: undefined }, images)).toEqual({ test: images, triggers });
});

async function* epochs(count: number, made: Model[]): AsyncGenerator<TrainedEpoch> {
  for (let epoch = 1; epoch <= count; epoch++) {
    const next = withMetadata(model, new Map([["epoch", `${epoch}`]]));
    made.push(next);
    yield { epoch, loss: 1 / epoch, learningRate: 0.1, seconds: epoch, model: () => next };
  }
}

test("all epochs are looked at in order, the given model first; the last model is the result", async () => {
  const made: Model[] = [];
  const looked: Model[] = [];
  const told: EpochRecord[] = [];
  const look = async (current: Model): Promise<Measurement> => {
    looked.push(current);
    return { accuracy: looked.length / 10, retention: 0 };
  };
  const run = await runEpochs(model, epochs(3, made), look, { onEpoch: (record) => told.push(record) });
  expect(looked).toEqual([model, ...made]);
  expect(encodeModel(run.model)).toEqual(encodeModel(made[2] ?? model));
  expect(run.seconds).toBe(6);
  expect(run.epochs).toEqual([
    { epoch: 0, seconds: 0, measured: { accuracy: 0.1, retention: 0 } },
    ...[1, 2, 3].map((epoch) => ({
      ...{ epoch, loss: 1 / epoch, learningRate: 0.1, seconds: epoch },
      measured: { accuracy: (epoch + 1) / 10, retention: 0 },
    })),
  ]);
  expect(told).toEqual(run.epochs);
});

test("without a measurement the records have none; without epochs the given model is the result", async () => {
  const run = await runEpochs(model, epochs(0, []), async () => undefined);
  expect(run).toEqual({ model, epochs: [{ epoch: 0, seconds: 0 }], seconds: 0 });
});
