/** @file Pictures of triggers: the very pixels of the key, and an erased copy that differs from them. */

import { decode } from "fast-png";
import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { copyPixels } from "../data/dataset.js";
import { tinyDataset } from "../experiments/testing/tiny.js";
import { makeKey } from "../ownership/make-key.js";
import { findMark } from "../watermarks/registry.js";
import { triggerPictures } from "./trigger-pictures.js";

const mark = findMark("content").choose({ ...findMark("content").published, triggers: 8, heldOut: 4 });
const set = await mark.make({ train: tinyDataset.train, random: randomStream(1) });
const key = makeKey({ mark, set, seed: 1, modelSha256: "0".repeat(64) });
const SIZE = 400;

function pixelsOf(uri: string | undefined): Uint8Array {
  const [, data = ""] = (uri ?? "").split("base64,");
  const { width, height, data: pixels } = decode(Buffer.from(data, "base64"));
  expect([width, height]).toEqual([20, 20]);
  return Uint8Array.from(pixels);
}

test("trigger and original are the key's own pixels, with the labels that belong to them", () => {
  const pictures = triggerPictures(key, randomStream(1));
  expect(pictures.length).toBe(6);
  pictures.forEach(({ trigger, original, label, sourceLabel }, i) => {
    const [from, to] = [i * SIZE, (i + 1) * SIZE];
    expect(pixelsOf(trigger)).toEqual(copyPixels(set.triggers).slice(from, to));
    expect(pixelsOf(original)).toEqual(copyPixels(set.placebos.images).slice(from, to));
    expect({ label, sourceLabel }).toEqual({ label: 6, sourceLabel: 4 });
  });
});

test("the erased copy differs from the trigger inside one rectangle", () => {
  for (const { trigger, erased } of triggerPictures(key, randomStream(1))) {
    const [before, after] = [pixelsOf(trigger), pixelsOf(erased)];
    const changed = [...before.keys()].filter((at) => before[at] !== after[at]);
    const [rows, columns] = [changed.map((at) => Math.floor(at / 20)), changed.map((at) => at % 20)];
    const height = 1 + Math.max(...rows) - Math.min(...rows);
    const width = 1 + Math.max(...columns) - Math.min(...columns);
    expect(changed.length).toBeGreaterThan(0);
    // Random pixels hit the old value 1 time in 256; stamps and bands are bright, but noise is not.
    expect(changed.length).toBeGreaterThan(0.8 * height * width);
    expect(height * width).toBeLessThanOrEqual(0.4 * SIZE + 20);
  }
});

test("never more pictures than triggers, and the same ones for the same stream", () => {
  expect(triggerPictures(key, randomStream(1), 50).length).toBe(8);
  expect(triggerPictures(key, randomStream(1))).toEqual(triggerPictures(key, randomStream(1)));
  expect(triggerPictures(key, randomStream(2))).not.toEqual(triggerPictures(key, randomStream(1)));
});

test("a mark without originals shows none", () => {
  const [first] = triggerPictures({ ...key, placebos: undefined, sourceLabels: undefined }, randomStream(1));
  expect(Object.keys(first ?? {}).sort()).toEqual(["erased", "label", "trigger"]);
});
