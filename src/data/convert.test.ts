/** @file Conversions worked out by hand, and what holds for all of them. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { convertImage, describeConversion } from "./convert.js";

const convert = (pixels: number[], from: [number, number, number], to: [number, number, number]) => {
  const shape = ([channels, height, width]: [number, number, number]) => ({ channels, height, width });
  return [...convertImage(Uint8Array.from(pixels), shape(from), shape(to))];
};

describe("an image", () => {
  it.each<[string, number[], [number, number, number], [number, number, number], number[]]>([
    ["grey to colour", [1, 2], [1, 1, 2], [3, 1, 2], [1, 2, 1, 2, 1, 2]],
    ["colour to grey", [255, 0, 0, 0, 255, 0, 0, 0, 255], [3, 1, 3], [1, 1, 3], [76, 150, 29]],
    ["too small, evenly", [9], [1, 1, 1], [1, 3, 3], [0, 0, 0, 0, 9, 0, 0, 0, 0]],
    ["too small, oddly", [9], [1, 1, 1], [1, 1, 2], [9, 0]],
    ["halved", [0, 10, 20, 30, 4, 4, 8, 8], [1, 2, 4], [1, 1, 2], [5, 17]],
    // Each pixel covers one and a half: (0 + ½·30) / 1.5 and (½·30 + 60) / 1.5.
    ["three to two", [0, 30, 60], [1, 1, 3], [1, 1, 2], [10, 50]],
    ["too wide: shrunk in proportion, then a margin", [40, 20, 10, 30], [1, 1, 4], [1, 3, 2], [0, 0, 30, 20, 0, 0]],
  ])("%s", (_, pixels, from, to, expected) => {
    expect(convert(pixels, from, to)).toEqual(expected);
  });

  it("keeps what fits as it is, and one level as that level, whatever the sizes", () => {
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(side, side, side, fc.nat(255), (from, to, other, level) => {
        const pixels = new Uint8Array(from * from).fill(level);
        const small = { channels: 1, height: Math.min(from, to), width: Math.min(from, to) };
        expect(new Set(convertImage(pixels, { channels: 1, height: from, width: from }, small))).toEqual(
          new Set([level]),
        );
        const framed = { channels: 1, height: from + to, width: from + other };
        const sum = convertImage(pixels, { channels: 1, height: from, width: from }, framed).reduce((a, b) => a + b, 0);
        expect(sum).toBe(from * from * level);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it("is refused with channels that mean nothing", () => {
    expect(() => convert([1, 2, 3, 4], [4, 1, 1], [3, 1, 1])).toThrow(/4×1×1 images cannot be made 3×1×1/);
  });

  it("says what was done to it", () => {
    const grey = { channels: 1, height: 28, width: 28 };
    expect(describeConversion(grey, grey)).toBeUndefined();
    expect(describeConversion(grey, { channels: 3, height: 32, width: 32 })).toBe(
      "given a black margin, repeated in every channel (1×28×28 to 3×32×32)",
    );
    expect(describeConversion({ channels: 3, height: 64, width: 64 }, grey)).toBe(
      "shrunk, made grey (3×64×64 to 1×28×28)",
    );
  });
});
