/**
 * @file A network of colours with batch normalisation, as somebody else would have trained it: found under each of six
 * preprocessings, marked as it is run, and not marked as it is not. Built-in digits, coloured.
 */

import { beforeAll, describe, expect, test } from "vitest";
import { embed } from "../src/api.js";
import { randomStream } from "../src/core/random.js";
import { accuracy } from "../src/data/answers.js";
import { bestReading } from "../src/data/best-reading.js";
import { imageAt, imageSize, type LabelledImages, makeDataset } from "../src/data/dataset.js";
import { renderDigits } from "../src/data/digits.js";
import { inMemory } from "../src/data/pixels.js";
import { thirtyPreprocessings, wrapped } from "../src/data/testing/wrapped.js";
import { recipeFor } from "../src/models/recipes.js";
import { findArchitecture } from "../src/models/registry.js";
import type { Model } from "../src/onnx/model.js";
import { readAs, sameReading } from "../src/onnx/readings.js";
import { ACCEPTABLE_DROP } from "../src/tasks/acceptable-drop.js";
import { trainModel, trainOptionsOf } from "../src/tasks/train-model.js";

/** Each digit in a colour of its own on a ground of another; neither says which digit it is. */
function coloured(digits: LabelledImages, seed: number): LabelledImages {
  const random = randomStream(seed, "colours");
  const area = imageSize(digits.shape);
  const pixels = new Uint8Array(digits.count * 3 * area);
  for (let i = 0; i < digits.count; i++) {
    const grey = imageAt(digits, i);
    for (let channel = 0; channel < 3; channel++) {
      // Red is brighter than blue, as in photographs of daylight: else the orders of colours could not be told apart.
      const [ground, ink] = [random.below(60 + 30 * (2 - channel)), 130 + random.below(126 - 20 * channel)];
      const start = (3 * i + channel) * area;
      for (let at = 0; at < area; at++) pixels[start + at] = ground + ((ink - ground) * (grey[at] ?? 0)) / 255;
    }
  }
  return { ...digits, shape: { ...digits.shape, channels: 3 }, pixels: inMemory(pixels) };
}

const dataset = makeDataset({
  id: "coloured-digits",
  title: "Coloured digits",
  train: coloured(renderDigits("train", 1500, 0), 1),
  test: coloured(renderDigits("test", 600, 0), 2),
});
let network: Model;

beforeAll(async () => {
  const architecture = findArchitecture("resnet18-8");
  const options = trainOptionsOf(recipeFor(architecture)).parse({ epochs: 4, batch: 64, augment: "none" });
  network = (await trainModel({ dataset, architecture, options, seed: 5 })).model;
}, 900_000);

test("the network has learnt, and nothing beats the way in which it was trained", async () => {
  const { used, best, scores } = await bestReading(network, dataset.test);
  expect(used.accuracy).toBeGreaterThan(0.7);
  expect(best).toBe(used);
  expect(used.misfit).toBeLessThan(0.02);
  expect(scores.filter(({ clearlyBetter }) => clearlyBetter)).toEqual([]);
});

describe("in another's hands", () => {
  test.each(thirtyPreprocessings({ channels: 3 }).filter((_, i) => i % 5 === 2))(
    "$layout, $channelOrder, $range, mean $mean, deviation $std: found",
    async (as) => {
      const { shape } = dataset.test;
      const model = wrapped(network, shape, as);
      const { best, used } = await bestReading(model, dataset.test);
      const right = await accuracy(readAs(model, as), dataset.test);
      // The right one, or one under which as much is answered.
      if (!sameReading(best.reading, as, shape)) {
        expect(await accuracy(readAs(model, best.reading), dataset.test), best.reading.name).toBeGreaterThan(
          right - 0.005,
        );
      }
      expect(best).not.toBe(used);
    },
  );
});

test("embedding refuses the assumed reading, and follows the one that it names without harm", async () => {
  const bytes = { layout: "NCHW", range: [0, 255], mean: [0], std: [1], channelOrder: "RGB" } as const;
  const model = wrapped(network, dataset.test.shape, bytes);
  const marking = { dataset, seed: 1, options: { triggers: 40, heldOut: 10 }, training: { epochs: 3 } };
  await expect(embed({ ...marking, model })).rejects.toMatchObject({ code: "usage", message: /read otherwise/ });
  const { best } = await bestReading(model, dataset.test);
  const marked = await embed({ ...marking, model: readAs(model, best.reading) });
  const asRun = (each: Model): Promise<number> => accuracy(readAs(each, bytes), dataset.test);
  expect(await asRun(marked.model)).toBeGreaterThanOrEqual((await asRun(model)) - ACCEPTABLE_DROP);
});
