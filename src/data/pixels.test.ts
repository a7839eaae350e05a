/** @file Pixels read the same from memory, from a file, picked, and shared; files that shrink are noticed. */

import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashImages, imageAt, validate } from "./dataset.js";
import { inMemory, type PixelSource, type PixelsInFile, pick, pixelCount, readPixels } from "./pixels.js";

const SIZE = 4;
const OFFSET = 3;
const bytes = Uint8Array.from({ length: 5 * SIZE }, (_, at) => 7 * at);
let folder: string;
let file: PixelsInFile;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-pixels-"));
  const path = join(folder, "raw");
  await writeFile(path, Uint8Array.of(1, 2, 3, ...bytes));
  file = { kind: "file", path, offset: OFFSET, length: bytes.length };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const third = [...bytes.subarray(2 * SIZE, 3 * SIZE)];

describe("the same image", () => {
  it("comes from memory, from a file, from either picked, and from copies of them", () => {
    for (const source of [inMemory(bytes), file]) {
      const picked = pick(pick(source, Uint32Array.of(4, 2, 2)), Uint32Array.of(1));
      for (const each of [source, structuredClone(source)]) {
        expect([...readPixels(each, 2, SIZE)]).toEqual(third);
        expect(pixelCount(each, SIZE)).toBe(bytes.length);
      }
      for (const each of [picked, structuredClone(picked)]) {
        expect([...readPixels(each, 0, SIZE)]).toEqual(third);
        expect(pixelCount(each, SIZE)).toBe(SIZE);
      }
    }
  });

  it("comes converted from any of them, picked before or after", () => {
    const [was, shape] = [
      { channels: 1, height: 2, width: 2 },
      { channels: 3, height: 1, width: 1 },
    ];
    const mean = Math.round(third.reduce((a, b) => a + b, 0) / SIZE);
    for (const from of [inMemory(bytes), file, pick(file, Uint32Array.of(0, 1, 2))]) {
      const converted: PixelSource = { kind: "converted", from, was, shape };
      for (const each of [converted, structuredClone(converted)]) {
        expect([...readPixels(each, 2, 3)]).toEqual([mean, mean, mean]);
        expect([...readPixels(pick(each, Uint32Array.of(2)), 0, 3)]).toEqual([mean, mean, mean]);
        expect(pixelCount(each, 3)).toBe(3 * (pixelCount(from, SIZE) / SIZE));
      }
    }
  });

  it("gives a set the same hash wherever its pixels lie", () => {
    const set = { shape: { channels: 1, height: 2, width: 2 }, classes: 2, count: 5, labels: new Uint16Array(5) };
    const [near, far] = [inMemory(bytes), file].map((pixels) => validate({ ...set, pixels }, "x"));
    if (near === undefined || far === undefined) throw new Error("two sets");
    expect(hashImages([far])).toBe(hashImages([near]));
    expect(() => imageAt(far, 5)).toThrow(/0 to 4/);
  });
});

describe("a file", () => {
  it("that is missing is named", () => {
    expect(() => readPixels({ ...file, path: join(folder, "none") }, 0, SIZE)).toThrow(/none cannot be read/);
  });

  it("that has become shorter is noticed", async () => {
    const path = join(folder, "short");
    await writeFile(path, bytes);
    const short: PixelsInFile = { kind: "file", path, offset: 0, length: bytes.length };
    expect(readPixels(short, 4, SIZE)).toHaveLength(SIZE);
    await truncate(path, 4 * SIZE + 1);
    expect(() => readPixels(short, 4, SIZE)).toThrow(/short ends before byte 20/);
  });
});
