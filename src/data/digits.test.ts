import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { copyPixels, type Images } from "./dataset.js";
import { digitStrokes } from "./digit-strokes.js";
import { renderDigits } from "./digits.js";

const hash = (bytes: Uint8Array | Uint16Array): string => createHash("sha256").update(bytes).digest("hex");
const hashOf = (images: Images): string => hash(copyPixels(images));

describe("digitStrokes", () => {
  it("has at least two ways to write each digit, within the unit square", () => {
    expect(digitStrokes.length).toBe(10);
    for (const variants of digitStrokes) {
      expect(variants.length).toBeGreaterThanOrEqual(2);
      const numbers = variants.flat(4);
      expect(Math.min(...numbers)).toBeGreaterThan(0);
      expect(Math.max(...numbers)).toBeLessThan(1);
    }
  });
});

describe("renderDigits", () => {
  const train = renderDigits("train", 1000, 1);
  const pixels = copyPixels(train);

  it("gives the same bytes for the same seed, others for another seed or split", () => {
    expect(hashOf(renderDigits("train", 1000, 1))).toBe(hashOf(train));
    expect(hashOf(renderDigits("train", 1000, 2))).not.toBe(hashOf(train));
    expect(hashOf(renderDigits("test", 1000, 1))).not.toBe(hashOf(train));
  });

  it("gives the beginning of a longer set, whatever the length", () => {
    for (const count of [1, 17, 230]) {
      const part = renderDigits("train", count, 1);
      expect(hashOf(part)).toBe(hash(pixels.subarray(0, count * 784)));
      expect(hash(part.labels)).toBe(hash(train.labels.subarray(0, count)));
    }
  });

  it("holds every digit once in each ten, in changing order", () => {
    const orders = new Set<string>();
    for (let block = 0; block < 100; block++) {
      const ten = train.labels.slice(block * 10, block * 10 + 10);
      orders.add(ten.join());
      expect([...ten].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
    expect(orders.size).toBeGreaterThan(95);
  });

  it("draws bright ink on a dark sheet, never twice the same", () => {
    const seen = new Set<string>();
    for (let i = 0; i < train.count; i++) {
      const image = pixels.subarray(i * 784, (i + 1) * 784);
      seen.add(hash(image));
      const mean = image.reduce((sum, pixel) => sum + pixel, 0) / 784 / 255;
      expect(Math.max(...image)).toBeGreaterThan(120);
      expect(mean).toBeGreaterThan(0.01);
      expect(mean).toBeLessThan(0.45);
    }
    expect(seen.size).toBe(train.count);
  });

  it("can be learnt, and not too easily: nearest neighbours of 1000 images name most of 200, not all", () => {
    const test = renderDigits("test", 200, 1);
    const asked = copyPixels(test);
    let right = 0;
    for (let i = 0; i < test.count; i++) {
      let nearest = Number.POSITIVE_INFINITY;
      let answer = -1;
      for (let j = 0; j < train.count; j++) {
        let distance = 0;
        for (let p = 0; p < 784 && distance < nearest; p++) {
          distance += ((pixels[j * 784 + p] ?? 0) - (asked[i * 784 + p] ?? 0)) ** 2;
        }
        if (distance < nearest) {
          nearest = distance;
          answer = train.labels[j] ?? -1;
        }
      }
      if (answer === test.labels[i]) right++;
    }
    expect(right / test.count).toBeGreaterThan(0.7);
    expect(right / test.count).toBeLessThan(0.97);
  });
});
