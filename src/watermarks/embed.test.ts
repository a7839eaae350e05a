/** @file How triggers join the batches of clean images. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { copyPixels, type LabelledImages } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { encodeModel, type Model } from "../onnx/model.js";
import type { Feed } from "../training/epochs.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { embed, embedContinuingOptions, embedFromScratchOptions, withTriggers } from "./embed.js";

const PIXELS = 4;
const CLASSES = 10;
const BATCH = 8;
const STEPS = 3;

/** Clean images are all 0.5 and of class 9. */
const clean: Feed = {
  stepsPerEpoch: STEPS,
  shape: { channels: 1, height: 1, width: 1 },
  batch: BATCH,
  classes: CLASSES,
  fill(_epoch, _step, images, targets) {
    images.fill(0.5);
    targets.fill(0);
    for (let row = 0; row < BATCH; row++) targets[row * CLASSES + 9] = 1;
  },
};

/** Trigger i has i + 1 in every pixel and label i mod 9. */
function numbered(count: number): LabelledImages {
  return {
    shape: { channels: 1, height: 2, width: 2 },
    classes: CLASSES,
    count,
    pixels: inMemory(Uint8Array.from({ length: count * PIXELS }, (_, at) => Math.floor(at / PIXELS) + 1)),
    labels: Uint16Array.from({ length: count }, (_, i) => i % 9),
  };
}

interface Row {
  /** Undefined for a clean image. */
  readonly trigger: number | undefined;
  readonly label: number;
}

function rowsOf(feed: Feed, epoch: number, step: number): Row[] {
  const images = new Float32Array(BATCH * PIXELS);
  const targets = new Float32Array(BATCH * CLASSES);
  feed.fill(epoch, step, images, targets);
  return Array.from({ length: BATCH }, (_, row) => {
    const pixels = images.subarray(row * PIXELS, (row + 1) * PIXELS);
    expect(new Set(pixels).size).toBe(1);
    const hot = [...targets.subarray(row * CLASSES, (row + 1) * CLASSES)];
    expect(hot.filter((value) => value === 1).length).toBe(1);
    expect(hot.filter((value) => value === 0).length).toBe(CLASSES - 1);
    const value = Math.round((pixels[0] ?? 0) * 255);
    return { trigger: pixels[0] === 0.5 ? undefined : value - 1, label: hot.indexOf(1) };
  });
}

/** Triggers in the order in which the first `epochs` epochs show them. */
function shown(feed: Feed, epochs: number): number[] {
  return Array.from({ length: epochs * STEPS }, (_, i) => rowsOf(feed, 1 + Math.floor(i / STEPS), i % STEPS)).flatMap(
    (rows) => rows.flatMap(({ trigger }) => trigger ?? []),
  );
}

describe("every batch", () => {
  test.each([1, 3, 7])("has as many triggers as asked for: %i", (perBatch) => {
    const feed = withTriggers(clean, numbered(10), perBatch, randomStream(1));
    expect(feed).toMatchObject({ stepsPerEpoch: STEPS, batch: BATCH, classes: CLASSES });
    for (let step = 0; step < STEPS; step++) {
      const triggers = rowsOf(feed, 1, step).filter(({ trigger }) => trigger !== undefined);
      expect(triggers.length).toBe(perBatch);
    }
  });

  test.each([BATCH, BATCH + 1])("keeps room for clean images: %i triggers a batch are refused", (perBatch) => {
    expect(() => withTriggers(clean, numbered(10), perBatch, randomStream(1))).toThrow(/leave no clean image/);
  });

  test("has the triggers' own labels on triggers and the clean labels on clean images", () => {
    const feed = withTriggers(clean, numbered(10), 3, randomStream(1));
    for (const { trigger, label } of rowsOf(feed, 2, 1)) expect(label).toBe(trigger === undefined ? 9 : trigger % 9);
  });
});

describe("over the epochs", () => {
  // 3 steps of 3 are 9 places an epoch: fewer than the triggers, more, and no multiple of either.
  test.each([10, 7, 25, 1])("%i triggers take turns: each comes once before any comes again", (count) => {
    const order = shown(withTriggers(clean, numbered(count), 3, randomStream(1)), 12);
    expect(order.length).toBe(12 * STEPS * 3);
    for (let round = 0; (round + 1) * count <= order.length; round++) {
      expect(new Set(order.slice(round * count, (round + 1) * count)).size).toBe(count);
    }
  });

  test("each round has an order of its own, and another seed other orders", () => {
    const order = shown(withTriggers(clean, numbered(9), 3, randomStream(1)), 2);
    expect(order.slice(0, 9)).not.toEqual(order.slice(9));
    expect(shown(withTriggers(clean, numbered(9), 3, randomStream(2)), 2)).not.toEqual(order);
  });

  test("a batch depends on epoch and step alone, not on what was asked before", () => {
    const feed = withTriggers(clean, numbered(7), 3, randomStream(1));
    const forward = [1, 2, 3].map((epoch) => rowsOf(feed, epoch, 2));
    const backward = [3, 2, 1].map((epoch) => rowsOf(feed, epoch, 2)).reverse();
    expect(backward).toEqual(forward);
    expect(rowsOf(withTriggers(clean, numbered(7), 3, randomStream(1)), 3, 2)).toEqual(forward[2]);
  });
});

describe("embedding", () => {
  /** Negatives, all answered as class 0: nothing that the clean images teach. */
  const pictures = tinyImages(6, { seed: 5 });
  const triggers = {
    ...pictures,
    pixels: inMemory(copyPixels(pictures).map((pixel) => 255 - pixel)),
    labels: new Uint16Array(6),
  };
  const train = tinyImages(64);
  const options = embedFromScratchOptions.parse({ epochs: 25, batch: 16, learningRate: 0.1 });
  const run = async (model: Model, chosen = options): Promise<Model> => {
    let marked = model;
    for await (const epoch of embed({ model, train, triggers, random: randomStream(1) }, chosen))
      marked = epoch.model();
    return marked;
  };

  test("teaches the triggers beside the images, and gives the same bytes again", async () => {
    const marked = await run(tinyModel());
    expect(await accuracy(marked, triggers)).toBe(1);
    // The network is tiny; chance is 0.25.
    expect(await accuracy(marked, train)).toBeGreaterThan(0.6);
    expect(encodeModel(await run(tinyModel()))).toEqual(encodeModel(marked));
  });

  test("both sets of options have defaults; going on takes fewer epochs at a smaller rate", () => {
    const [fresh, continuing] = [embedFromScratchOptions.parse({}), embedContinuingOptions.parse({})];
    expect(continuing.epochs).toBeLessThan(fresh.epochs);
    expect(continuing.learningRate).toBeLessThan(fresh.learningRate);
    expect(embedFromScratchOptions.safeParse({ triggersPerBatch: 0 }).success).toBe(false);
  });
});
