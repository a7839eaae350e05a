/** @file The views of a batch and their options. */

import { expect, test } from "vitest";
import { z } from "zod";
import { randomStream } from "../core/random.js";
import { packImages } from "./batches.js";
import type { Images } from "./dataset.js";
import { inMemory } from "./pixels.js";
import { cleanView, copiesView, erasedView, erasingShape, onlyPass } from "./views.js";

const shape = { channels: 2, height: 12, width: 12 };
const SIZE = 2 * 144;
const grey = new Float32Array(5 * SIZE).fill(0.5);
const pass = onlyPass(randomStream(1));
const options = z.strictObject(erasingShape);
/** Two images of two channels: the first channel is 51 and 102 (0.3 on average), the second 255 and 51 (0.6). */
const images: Images = {
  shape,
  count: 2,
  pixels: inMemory(Uint8Array.from([51, 255, 102, 51].flatMap((level) => new Array<number>(144).fill(level)))),
};

function view(given: z.input<typeof options>): Float32Array {
  const target = new Float32Array(grey.length);
  erasedView(options.parse(given), images)(
    grey,
    target,
    shape,
    5,
    randomStream(1),
    Uint32Array.of(0, 1, 0, 1, 0),
    pass,
  );
  return target;
}

const changed = (pixels: Float32Array): number => pixels.filter((value) => value !== 0.5).length;

test("the clean view copies", () => {
  const target = new Float32Array(grey.length);
  cleanView(grey, target, shape, 5, randomStream(1), Uint32Array.of(0, 1, 0, 1, 0), pass);
  expect(target).toEqual(grey);
});

test("a view of copies shows the counterpart of each chosen image, whatever the image", () => {
  const target = new Float32Array(grey.length);
  const chosen = Uint32Array.of(1, 0, 1, 1, 0);
  copiesView(images)(grey, target, shape, 5, randomStream(1), chosen, pass);
  const expected = new Float32Array(grey.length);
  packImages(images, chosen, expected);
  expect(target).toEqual(expected);
  expect(new Set(target).size).toBe(3);
});

test("by default every image is erased, as WILD needs it, with the published rectangle", () => {
  expect(options.parse({})).toEqual({
    eraseProbability: 1,
    eraseAreaMin: 0.02,
    eraseAreaMax: 0.4,
    eraseAspectMin: 0.3,
    eraseFill: "random",
  });
  const pixels = view({});
  for (let i = 0; i < 5; i++) expect(changed(pixels.subarray(i * SIZE, (i + 1) * SIZE))).toBeGreaterThan(0);
});

test("each option means what its name says", () => {
  expect(view({ eraseProbability: 0 })).toEqual(grey);
  expect(new Set(view({ eraseFill: "black" }))).toEqual(new Set([0.5, 0]));
  expect(new Set(view({ eraseFill: "white" }))).toEqual(new Set([0.5, 1]));
  const tiny = { eraseAreaMin: 0.01, eraseAreaMax: 0.01, eraseFill: "black" } as const;
  expect(changed(view(tiny))).toBeLessThan(5 * 2 * 5);
  expect(changed(view({ ...tiny, eraseAreaMin: 0.3, eraseAreaMax: 0.3 }))).toBeGreaterThan(5 * 2 * 25);
});

test("fill mean writes the mean of the images, channel by channel", () => {
  const pixels = view({ eraseFill: "mean", eraseAreaMin: 0.3 });
  for (const [channel, mean] of [0.3, 0.6].entries()) {
    const erased = pixels.subarray(channel * 144, (channel + 1) * 144).filter((value) => value !== 0.5);
    expect(erased.length).toBeGreaterThan(0);
    for (const value of erased) expect(value).toBeCloseTo(mean, 6);
  }
});

test("every option has a description", () => {
  for (const [name, schema] of Object.entries(erasingShape)) expect(schema.description ?? "", name).not.toBe("");
});
