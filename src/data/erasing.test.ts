import { describe, expect, it } from "vitest";
import { randomStream } from "../core/random.js";
import {
  alwaysErasing,
  drawRectangle,
  eraseBatch,
  type RandomErasingOptions,
  randomErasingDefaults,
  randomErasingSchema,
} from "./erasing.js";

const grey = { channels: 1, height: 28, width: 28 };
const colour = { channels: 3, height: 32, width: 32 };
/** A value that no fill writes, so that erased pixels can be told. */
const untouched = 2;

function erase(options: RandomErasingOptions, shape = grey, count = 200, seed = 1): Float32Array {
  const source = new Float32Array(count * shape.channels * shape.height * shape.width).fill(untouched);
  const target = new Float32Array(source.length);
  eraseBatch(source, target, shape, count, options, randomStream(seed, "erase"));
  expect(source.every((value) => value === untouched)).toBe(true);
  return target;
}

describe("drawRectangle", () => {
  const draws = Array.from({ length: 20_000 }, (_, i) => drawRectangle(grey, alwaysErasing, randomStream(7, i)));
  const rectangles = draws.filter((rectangle) => rectangle !== undefined);

  it("finds a rectangle practically always", () => {
    expect(rectangles.length).toBe(draws.length);
  });

  it("stays within area and aspect, up to rounding both sides to whole pixels, and inside the image", () => {
    // Half a pixel a side of rounding: what the sides may have been before.
    const strays = rectangles.filter(
      ({ top, left, height, width }) =>
        (height + 0.5) * (width + 0.5) < 0.02 * 784 ||
        (height - 0.5) * (width - 0.5) > 0.4 * 784 ||
        (height + 0.5) / (width - 0.5) < 0.3 ||
        (height - 0.5) / (width + 0.5) > 1 / 0.3 ||
        Math.min(top, left) < 0 ||
        top + height > 28 ||
        left + width > 28 ||
        Math.max(height, width) >= 28,
    );
    expect(strays).toEqual([]);
  });

  it("uses the whole range of areas and reaches every edge", () => {
    const areas = rectangles.map(({ height, width }) => (height * width) / 784);
    expect(Math.min(...areas)).toBeLessThan(0.03);
    expect(Math.max(...areas)).toBeGreaterThan(0.38);
    // Uniform in (0.02, 0.4) has mean 0.21; the wish to fit takes a little off the largest.
    const mean = areas.reduce((sum, area) => sum + area, 0) / areas.length;
    expect(mean).toBeGreaterThan(0.19);
    expect(mean).toBeLessThan(0.215);
    for (const place of [
      rectangles.some(({ top }) => top === 0),
      rectangles.some(({ left }) => left === 0),
      rectangles.some(({ top, height }) => top + height === 28),
      rectangles.some(({ left, width }) => left + width === 28),
    ]) {
      expect(place).toBe(true);
    }
  });

  it("gives up when nothing fits", () => {
    const whole = { ...alwaysErasing, areaMin: 1, areaMax: 1 };
    expect(drawRectangle(grey, whole, randomStream(1))).toBeUndefined();
    expect(erase(whole, grey, 2).every((value) => value === untouched)).toBe(true);
  });
});

describe("eraseBatch", () => {
  it("erases one filled rectangle of every image at probability 1, all channels alike", () => {
    const target = erase({ ...alwaysErasing, fill: "black" }, colour, 50);
    for (let image = 0; image < 50; image++) {
      const planes = [0, 1, 2].map((channel) => {
        const start = (image * 3 + channel) * 1024;
        return Array.from(target.subarray(start, start + 1024), (value) => value === 0);
      });
      expect(planes[1]).toEqual(planes[0]);
      expect(planes[2]).toEqual(planes[0]);
      const erased = (planes[0] ?? []).flatMap((hit, at) => (hit ? [[Math.floor(at / 32), at % 32] as const] : []));
      const rows = erased.map(([row]) => row);
      const columns = erased.map(([, column]) => column);
      const extent = (values: number[]): number => Math.max(...values) - Math.min(...values) + 1;
      expect(erased.length).toBeGreaterThan(0);
      expect(extent(rows) * extent(columns)).toBe(erased.length);
    }
  });

  it("erases about half of the images at the published probability", () => {
    const target = erase(randomErasingDefaults, grey, 2000);
    let erased = 0;
    for (let image = 0; image < 2000; image++) {
      if (target.subarray(image * 784, (image + 1) * 784).some((value) => value !== untouched)) erased++;
    }
    // Five standard deviations of a binomial (2000, ½).
    expect(Math.abs(erased - 1000)).toBeLessThan(112);
  });

  it("leaves everything at probability 0", () => {
    expect(erase({ ...alwaysErasing, probability: 0 }).every((value) => value === untouched)).toBe(true);
  });

  it("fills at random with uniform bytes, each pixel its own", () => {
    const values = erase(alwaysErasing).filter((value) => value !== untouched);
    const bytes = Array.from(values, (value) => value * 255);
    expect(bytes.every((byte) => Math.abs(byte - Math.round(byte)) < 1e-4)).toBe(true);
    expect(new Set(bytes.map(Math.round)).size).toBe(256);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(0.5, 1);
    expect(variance).toBeCloseTo(1 / 12, 2);
    let lag = 0;
    for (let i = 1; i < values.length; i++) lag += ((values[i] ?? 0) - mean) * ((values[i - 1] ?? 0) - mean);
    expect(Math.abs(lag / values.length / variance)).toBeLessThan(0.03);
  });

  it.each([
    ["black", 0],
    ["white", 1],
    ["mean", 0.25],
  ] as const)("fills with %s", (fill, expected) => {
    const values = erase({ ...alwaysErasing, fill, mean: [0.25] }).filter((value) => value !== untouched);
    expect(values.length).toBeGreaterThan(0);
    expect(values.every((value) => value === expected)).toBe(true);
  });

  it("gives the same bytes for the same seed", () => {
    expect(erase(alwaysErasing, grey, 20)).toEqual(erase(alwaysErasing, grey, 20));
    expect(erase(alwaysErasing, grey, 20, 2)).not.toEqual(erase(alwaysErasing, grey, 20));
  });

  it("works in place", () => {
    const image = new Float32Array(784).fill(untouched);
    eraseBatch(image, image, grey, 1, alwaysErasing, randomStream(1, "erase"));
    expect(image).toEqual(erase(alwaysErasing, grey, 1));
  });

  it("refuses arrays that are too short", () => {
    const short = new Float32Array(10);
    expect(() => eraseBatch(short, short, grey, 1, alwaysErasing, randomStream(1))).toThrow(/take 784 floats/);
  });
});

describe("randomErasingSchema", () => {
  it("fills in the published defaults", () => {
    expect(randomErasingSchema.parse({})).toEqual({
      probability: 0.5,
      areaMin: 0.02,
      areaMax: 0.4,
      aspectMin: 0.3,
      fill: "random",
      mean: [0.5],
      attempts: 100,
    });
  });

  it.each([{ probability: 1.1 }, { areaMin: 0 }, { aspectMin: 0 }, { areaMin: 0.5, areaMax: 0.4 }, { attempts: 0 }])(
    "refuses %o",
    (options) => {
      expect(randomErasingSchema.safeParse(options).success).toBe(false);
    },
  );
});
