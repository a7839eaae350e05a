import { expect, test } from "vitest";
import type { LabelledImages } from "./dataset.js";
import { findingsIn } from "./findings.js";
import { inMemory } from "./pixels.js";

/** Images of two pixels, 0 and what is given. */
function images(classes: number, ...given: readonly (readonly [label: number, pixel: number])[]): LabelledImages {
  return {
    shape: { channels: 1, height: 1, width: 2 },
    count: given.length,
    classes,
    pixels: inMemory(Uint8Array.from(given.flatMap(([, pixel]) => [0, pixel]))),
    labels: Uint16Array.from(given, ([label]) => label),
  };
}

test("sound images raise no word; a few black ones among them neither", () => {
  const train = images(2, [0, 255], [1, 2], [1, 0]);
  expect(findingsIn({ train, test: train })).toEqual([]);
});

test("0/1 bytes, black images, mixed scales", () => {
  const [one, black, bright] = [images(1, [0, 1], [0, 0]), images(1, [0, 0]), images(1, [0, 255])];
  expect(findingsIn({ train: one, test: one })).toEqual([expect.stringMatching(/^0\/1 bytes: no pixel of 4 images/)]);
  expect(findingsIn({ train: black, test: black })).toEqual(["black images: every pixel of all 2 images is 0"]);
  // Also where one split is of one scale and the other of the other.
  expect(findingsIn({ train: bright, test: one })).toEqual([expect.stringMatching(/^mixed scales: 1 of 3 images/)]);
});

test("empty classes of either split, by name, and counted where they are many", () => {
  const train = images(3, [0, 9], [2, 9]);
  expect(findingsIn({ train, test: images(3, [1, 9]), classNames: ["0", "cat", "dog"] })).toEqual([
    'empty classes: 1 of 3 have no training image: 1 "cat"',
    'empty classes: 2 of 3 have no test image: 0, 2 "dog"',
  ]);
  const many = images(13, [0, 9]);
  expect(findingsIn({ train: many, test: many })[0]).toMatch(/: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more$/);
});
