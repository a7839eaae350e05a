import { describe, expect, it } from "vitest";
import { randomStream } from "../core/random.js";
import { epochBatches, packImages, stepsPerEpoch, unpackImages } from "./batches.js";
import { inMemory } from "./pixels.js";

const images = {
  shape: { channels: 1, height: 1, width: 3 },
  count: 3,
  pixels: inMemory(Uint8Array.of(0, 51, 255, 1, 2, 3, 10, 20, 30)),
};

describe("packImages", () => {
  it("writes the chosen images as byte / 255 and leaves the rest of the buffer alone", () => {
    const target = new Float32Array(7).fill(9);
    packImages(images, [2, 0], target);
    expect([...target]).toEqual([10 / 255, 20 / 255, 30 / 255, 0, 0.2, 1, 9].map(Math.fround));
  });

  it("comes back exactly through unpackImages, for every byte", () => {
    const bytes = Uint8Array.from(Array(256).keys());
    const every = { shape: { channels: 1, height: 16, width: 16 }, count: 1, pixels: inMemory(bytes) };
    const target = new Float32Array(256);
    packImages(every, [0], target);
    expect(target).toEqual(Float32Array.from(bytes, (byte) => byte / 255));
    expect(unpackImages(target)).toEqual(bytes);
  });

  it.each([3, -1, 1.5])("refuses image %s of 3", (index) => {
    expect(() => packImages(images, [index], new Float32Array(9))).toThrow(/set that holds 0 to 2/);
  });

  it("refuses a buffer that is too short", () => {
    expect(() => packImages(images, [0, 1], new Float32Array(5))).toThrow(/takes 6 floats, the buffer holds 5/);
  });
});

it("unpackImages clamps", () => {
  expect([...unpackImages(Float32Array.of(-1, 0.5, 2, Number.NaN))]).toEqual([0, 128, 255, 0]);
});

describe("epochBatches", () => {
  it.each([
    [10, 4],
    [64, 64],
    [65, 64],
    [3, 8],
    [1, 5],
  ])("shows each of %i images in batches of %i, the extra ones at most once more than the rest", (count, size) => {
    const batches = [...epochBatches(count, size, randomStream(1, "shuffle"))];
    expect(batches.length).toBe(stepsPerEpoch(count, size));
    expect(batches.every((batch) => batch.length === size)).toBe(true);
    const seen = new Array<number>(count).fill(0);
    for (const batch of batches) for (const index of batch) seen[index] = (seen[index] ?? 0) + 1;
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...seen) - Math.min(...seen)).toBeLessThanOrEqual(1);
  });

  it("draws another order each epoch, and the same ones for the same seed", () => {
    const random = randomStream(1, "shuffle");
    const first = [...epochBatches(100, 10, random)].flatMap((batch) => [...batch]);
    const second = [...epochBatches(100, 10, random)].flatMap((batch) => [...batch]);
    const again = [...epochBatches(100, 10, randomStream(1, "shuffle"))].flatMap((batch) => [...batch]);
    expect(second).not.toEqual(first);
    expect(again).toEqual(first);
  });

  it("keeps earlier batches valid while later ones are drawn", () => {
    const epoch = epochBatches(8, 4, randomStream(2));
    const first = epoch.next().value;
    const copy = Array.from(first ?? []);
    epoch.next();
    expect(Array.from(first ?? [])).toEqual(copy);
  });

  it.each([
    [0, 4],
    [4, 0],
    [4, 1.5],
  ])("refuses %s images in batches of %s", (count, size) => {
    expect(() => epochBatches(count, size, randomStream(1)).next()).toThrow(/positive integer/);
  });
});
