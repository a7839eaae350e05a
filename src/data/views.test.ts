/** @file The views of a batch and their options. */

import { expect, test } from "vitest";
import { z } from "zod";
import { randomStream } from "../core/random.js";
import { cleanView, erasedView, erasingShape } from "./views.js";

const shape = { channels: 2, height: 12, width: 12 };
const SIZE = 2 * 144;
const grey = new Float32Array(5 * SIZE).fill(0.5);
const options = z.strictObject(erasingShape);

function view(given: z.input<typeof options>): Float32Array {
  const target = new Float32Array(grey.length);
  erasedView(options.parse(given))(grey, target, shape, 5, randomStream(1));
  return target;
}

const changed = (pixels: Float32Array): number => pixels.filter((value) => value !== 0.5).length;

test("the clean view copies", () => {
  const target = new Float32Array(grey.length);
  cleanView(grey, target, shape, 5, randomStream(1));
  expect(target).toEqual(grey);
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

test("every option has a description", () => {
  for (const [name, schema] of Object.entries(erasingShape)) expect(schema.description ?? "", name).not.toBe("");
});
