/**
 * @file Duplicates and near-duplicates: the rule by hand, against comparing all pairs, and on images that only look
 * alike.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderDigits } from "../data/digits.js";
import { readPixels } from "../data/pixels.js";
import { countDistinct, firstOfDuplicates, NEAR_LARGEST, NEAR_MEAN } from "./near-duplicates.js";
import { randomStream } from "./random.js";

/** The groups by their definition: every pair compared, links followed until nothing changes. */
function byAllPairs(images: Uint8Array, count: number, size: number): readonly number[] {
  const firsts = Array.from({ length: count }, (_, i) => i);
  const near = (a: number, b: number): boolean => {
    const differences = Array.from({ length: size }, (_, i) =>
      Math.abs((images[a * size + i] ?? 0) - (images[b * size + i] ?? 0)),
    );
    const mean = differences.reduce((sum, d) => sum + d, 0) / size;
    return mean < NEAR_MEAN && Math.max(...differences) < NEAR_LARGEST;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let a = 0; a < count; a++) {
      for (let b = 0; b < count; b++) {
        if (!near(a, b) || (firsts[b] ?? 0) <= (firsts[a] ?? 0)) continue;
        firsts[b] = firsts[a] ?? 0;
        changed = true;
      }
    }
  }
  return firsts;
}

const rows = (...images: readonly (readonly number[])[]): Uint8Array => Uint8Array.from(images.flat());

/** `size` levels of 100, with some raised. */
const raised = (size: number, by: number, pixels: number): readonly number[] =>
  Array.from({ length: size }, (_, i) => (i < pixels ? 100 + by : 100));

const groups = (...images: readonly (readonly number[])[]): readonly number[] => [
  ...firstOfDuplicates(rows(...images), images.length, images[0]?.length ?? 1),
];

describe("the rule", () => {
  test("equal bytes are one image, wherever they stand", () => {
    expect(groups([9, 200], [1, 2], [9, 200], [200, 9], [1, 2], [9, 200])).toEqual([0, 1, 0, 3, 1, 0]);
  });

  test("a mean difference just below 2 levels is near, of 2 it is not", () => {
    // 100 pixels: differences of 199, then of 200 levels together.
    expect(groups(raised(100, 0, 0), [101, ...raised(99, 2, 99)])).toEqual([0, 0]);
    expect(groups(raised(100, 0, 0), raised(100, 2, 100))).toEqual([0, 1]);
  });

  test("a largest difference of 31 levels is near, of 32 it is not", () => {
    expect(groups(raised(100, 0, 0), raised(100, 31, 1))).toEqual([0, 0]);
    expect(groups(raised(100, 0, 0), raised(100, 32, 1))).toEqual([0, 1]);
  });

  test("a chain is one group, in whatever order it stands, and its first image names it", () => {
    const chain = [0, 1, 2, 3, 4].map((by) => raised(50, by, 50));
    const [a = [], b = [], c = [], d = [], e = []] = chain;
    expect(groups(a, b, c, d, e)).toEqual([0, 0, 0, 0, 0]);
    expect(groups(a, e, c, raised(50, 90, 50), d, b)).toEqual([0, 0, 0, 3, 0, 0]);
    expect(groups(a, c, e)).toEqual([0, 1, 2]);
  });

  test("no images, one image, and one pixel each", () => {
    expect([...firstOfDuplicates(new Uint8Array(0), 0, 784)]).toEqual([]);
    expect(groups([7, 7])).toEqual([0]);
    expect(groups([0], [1], [3], [255])).toEqual([0, 0, 2, 3]);
  });

  test("rows that do not fit are refused", () => {
    expect(() => firstOfDuplicates(new Uint8Array(10), 3, 4)).toThrow(/3 images of 4 bytes need 12 bytes, got 10/);
    expect(() => firstOfDuplicates(new Uint8Array(0), 0, 0)).toThrow(RangeError);
  });
});

test("it finds what comparing all pairs finds", () => {
  const few = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(fc.integer(), few, few, fc.integer({ min: 1, max: 6 }), (seed, count, size, bases) => {
      const random = randomStream(seed, "images");
      const models = Array.from({ length: bases }, () => Array.from({ length: size }, () => random.below(256)));
      const images = new Uint8Array(count * size);
      for (let i = 0; i < count; i++) {
        const base = models[random.below(bases)] ?? [];
        // Sometimes small steps, sometimes one large one: both sides of both borders.
        const noise = random.below(6);
        const jump = random.below(3) === 0 ? random.below(40) : 0;
        const at = random.below(size);
        base.forEach((level, pixel) => {
          const moved = level + random.below(2 * noise + 1) - noise + (pixel === at ? jump : 0);
          images[i * size + pixel] = Math.min(255, Math.max(0, moved));
        });
      }
      expect([...firstOfDuplicates(images, count, size)]).toEqual(byAllPairs(images, count, size));
    }),
    { numRuns: 200, seed: 7 },
  );
});

describe("images of a data set", () => {
  const COUNT = 2000;
  const SIZE = 784;
  const digits = readPixels(renderDigits("train", COUNT, 5).pixels, 0, COUNT * SIZE);

  test("distinct digits stay distinct", () => {
    expect(countDistinct(firstOfDuplicates(digits, COUNT, SIZE))).toBe(COUNT);
  });

  test("one trigger a hundred times, as it is and with noise of two levels, counts once", () => {
    const random = randomStream(3, "noise");
    const copies = new Uint8Array(101 * SIZE);
    for (let i = 0; i < 100; i++) {
      digits.subarray(0, SIZE).forEach((level, pixel) => {
        copies[i * SIZE + pixel] = Math.min(255, Math.max(0, level + (i % 2 === 0 ? 0 : random.below(5) - 2)));
      });
    }
    copies.set(digits.subarray(SIZE, 2 * SIZE), 100 * SIZE);
    const firsts = firstOfDuplicates(copies, 101, SIZE);
    expect(countDistinct(firsts)).toBe(2);
    expect(firsts[99]).toBe(0);
    expect(firsts[100]).toBe(100);
  });

  test("a stamp makes another image: a digit and its marked copy are two", () => {
    const pair = new Uint8Array(2 * SIZE);
    pair.set(digits.subarray(0, SIZE));
    pair.set(digits.subarray(0, SIZE), SIZE);
    // 3 × 3 pixels in the upper left corner, which the pen leaves free.
    for (const pixel of [0, 1, 2, 28, 29, 30, 56, 57, 58]) pair[SIZE + pixel] = 255;
    expect([...firstOfDuplicates(pair, 2, SIZE)]).toEqual([0, 1]);
  });
});
