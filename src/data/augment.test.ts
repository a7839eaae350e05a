/** @file Augmentation: what it moves, how often, and that it draws from its stream only. */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { augmentations } from "../models/recipes.js";
import { augmentedView, croppedView } from "./augment.js";
import { cleanView, onlyPass, type View } from "./views.js";

const shape = { channels: 3, height: 16, width: 16 };
const COUNT = 400;
const SIZE = 3 * 256;
/** No pixel of an image is like another, and none is 0 or 0.5. */
const images = Float32Array.from({ length: COUNT * SIZE }, (_, i) => 0.1 + (0.3 * (i % SIZE)) / SIZE);

function seen(view: View, seed = 1, pass = onlyPass(randomStream(seed))): Float32Array {
  const target = new Float32Array(images.length).fill(Number.NaN);
  view(
    images,
    target,
    shape,
    COUNT,
    randomStream(seed),
    Uint32Array.from({ length: COUNT }, (_, i) => i),
    pass,
  );
  return target;
}

const imageOf = (batch: Float32Array, i: number): Float32Array => batch.subarray(i * SIZE, (i + 1) * SIZE);

test.each(augmentations)("%s fills every pixel, the same from the same seed", (name) => {
  const view = augmentedView(name, shape);
  expect(seen(view).some(Number.isNaN)).toBe(false);
  expect(seen(view)).toEqual(seen(view));
  if (name === "none") expect(view).toBe(cleanView);
  else expect(seen(view)).not.toEqual(seen(view, 2));
});

test(
  "a crop shifts all channels alike, by every distance up to the padding, and half of the images are " + "mirrored",
  () => {
    const found = seen(croppedView({ padding: 2, flip: "random" }));
    const shifts = new Map<string, number>();
    let mirrored = 0;
    for (let i = 0; i < COUNT; i++) {
      const image = imageOf(found, i);
      const original = imageOf(images, i);
      const flipped = (image[8 * 16 + 8] ?? 0) < (image[8 * 16 + 7] ?? 0);
      if (flipped) mirrored++;
      const pixel = (channel: number, row: number, column: number): number =>
        image[channel * 256 + row * 16 + (flipped ? 15 - column : column)] ?? -1;
      const source = original.indexOf(pixel(0, 8, 8));
      const [down, right] = [Math.floor(source / 16) - 8, (source % 16) - 8];
      shifts.set(`${down},${right}`, (shifts.get(`${down},${right}`) ?? 0) + 1);
      for (let at = 0; at < SIZE; at++) {
        const [channel, row, column] = [Math.floor(at / 256), Math.floor((at % 256) / 16), at % 16];
        const inside = row + down >= 0 && row + down < 16 && column + right >= 0 && column + right < 16;
        const expected = inside ? original[channel * 256 + (row + down) * 16 + column + right] : 0;
        if (pixel(channel, row, column) !== expected) expect.fail(`image ${i}, pixel ${at}`);
      }
    }
    // 25 shifts, 16 images each expected; 400 flips of a coin with deviation 10.
    expect(shifts.size).toBe(25);
    expect(Math.abs(mirrored - COUNT / 2)).toBeLessThan(40);
  },
);

test("cutout covers one square at most half as long as the image, cut where it leaves it", () => {
  const covered: number[] = [];
  const found = seen(augmentedView("crop-flip-cutout", shape));
  for (let i = 0; i < COUNT; i++) {
    const image = imageOf(found, i);
    const grey = [...image.keys()].filter((at) => image[at] === 0.5);
    const rows = new Set(grey.map((at) => Math.floor((at % 256) / 16)));
    const columns = new Set(grey.map((at) => at % 16));
    expect(grey.length).toBe(3 * rows.size * columns.size);
    expect(Math.max(rows.size, columns.size)).toBeLessThanOrEqual(8);
    covered.push(grey.length / 3);
  }
  // Over the 16 places of its middle a side keeps 4 … 8 of its 8 pixels: 6.875 on average, (110 / 16)² = 47.3 of a
  // square.
  const mean = covered.reduce((sum, count) => sum + count, 0) / COUNT;
  expect(mean).toBeGreaterThan(45);
  expect(mean).toBeLessThan(50);
});

test("auto mirrors and covers colour, and only shifts grey", () => {
  expect(seen(augmentedView("auto", shape))).toEqual(seen(augmentedView("crop-flip-cutout", shape)));
  const grey = { ...shape, channels: 1 };
  const view = (name: "auto" | "shift"): Float32Array => {
    const target = new Float32Array(images.length);
    augmentedView(name, grey)(
      images,
      target,
      grey,
      3 * COUNT,
      randomStream(1),
      new Uint32Array(3 * COUNT),
      onlyPass(randomStream(1)),
    );
    return target;
  };
  expect(view("auto")).toEqual(view("shift"));
});

test("mirrored every other epoch: half of the images at first, the other half then, and so on", () => {
  const view = croppedView({ padding: 0, flip: "alternate" });
  const always = randomStream(7, "always");
  const at = (epoch: number): Float32Array => seen(view, epoch, { epoch, always });
  const isMirrored = (batch: Float32Array, i: number): boolean => (imageOf(batch, i)[0] ?? 0) !== images[0];
  const [first, second, third] = [at(1), at(2), at(3)];
  const mirrored = Array.from({ length: COUNT }, (_, i) => isMirrored(first, i));
  expect(mirrored.filter(Boolean).length).toBeGreaterThan(COUNT / 2 - 50);
  expect(mirrored.filter(Boolean).length).toBeLessThan(COUNT / 2 + 50);
  expect(Array.from({ length: COUNT }, (_, i) => isMirrored(second, i))).toEqual(mirrored.map((each) => !each));
  expect(third).toEqual(first);
  // It is the image that has a turn, not its place in the batch.
  const target = new Float32Array(2 * SIZE);
  const chosen = Uint32Array.of(mirrored.indexOf(true), mirrored.indexOf(false));
  view(images.subarray(0, 2 * SIZE), target, shape, 2, randomStream(0), chosen, { epoch: 1, always });
  expect([0, 1].map((i) => isMirrored(target, i))).toEqual([true, false]);
});

test("what comes in at an edge repeats the image behind it, mirrored", () => {
  const found = seen(croppedView({ padding: 2, edge: "mirrored" }));
  const reflect = (at: number): number => (at < 0 ? -at : at > 15 ? 30 - at : at);
  const shifts = new Set<string>();
  for (let i = 0; i < COUNT; i++) {
    const image = imageOf(found, i);
    const source = imageOf(images, i).indexOf(image[8 * 16 + 8] ?? -1);
    const [down, right] = [Math.floor(source / 16) - 8, (source % 16) - 8];
    shifts.add(`${down},${right}`);
    for (let at = 0; at < SIZE; at++) {
      const [channel, row, column] = [Math.floor(at / 256), Math.floor((at % 256) / 16), at % 16];
      const expected = images[i * SIZE + channel * 256 + reflect(row + down) * 16 + reflect(column + right)];
      if (image[at] !== expected) expect.fail(`image ${i}, pixel ${at}`);
    }
  }
  expect(shifts.size).toBe(25);
});
