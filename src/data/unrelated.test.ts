/** @file Which images the unrelated mark gets, and in what shape. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyPixels, type Dataset, hashImages, type ImageShape, imageAt, makeDataset } from "./dataset.js";
import { encodeIdx } from "./idx.js";
import { inMemory } from "./pixels.js";
import { loadDataset, loadImages } from "./registry.js";
import { npy, zip } from "./testing/archives.js";
import { loadUnrelated } from "./unrelated.js";

let root: string;
let places: { dataDir: string; env: Record<string, string> };
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wildmark-unrelated-"));
  places = { dataDir: root, env: { XDG_CACHE_HOME: join(root, "cache") } };
});
afterEach(() => rm(root, { recursive: true, force: true }));

const colour32 = { channels: 3, height: 32, width: 32 };
function dataset(id: string, shape: ImageShape): Dataset {
  const pixels = inMemory(new Uint8Array(2 * shape.channels * shape.height * shape.width));
  const split = { shape, classes: 2, count: 2, pixels, labels: Uint16Array.of(0, 1) };
  return makeDataset({ id, title: id, train: split, test: split });
}

/** Two images of 28×28, all of one level each, as MNIST's test images lie. */
async function putMnist(): Promise<void> {
  await mkdir(join(root, "mnist"));
  const data = new Uint8Array(2 * 784).fill(7, 0, 784).fill(9, 784);
  await writeFile(join(root, "mnist/t10k-images-idx3-ubyte"), encodeIdx({ dims: [2, 28, 28], data }));
}

describe("unless chosen", () => {
  it("the digits get the shapes as they always were", async () => {
    const digits = await loadDataset("digits", { limits: { train: 2, test: 2 } });
    const { count, pixels, shape, warnings } = await loadUnrelated(digits, places);
    const before = await loadImages("shapes");
    expect([count, shape, warnings]).toEqual([before.count, before.shape, []]);
    expect(Buffer.compare(copyPixels({ shape, count, pixels }), copyPixels(before))).toBe(0);
  });

  it("CIFAR-10 gets MNIST's test images, in the middle of 32x32 and in every channel", async () => {
    await putMnist();
    await expect(loadUnrelated(dataset("cifar-10", colour32), places)).rejects.toMatchObject({ code: "bad-data" });
    const found = await loadUnrelated(dataset("cifar-10", colour32), { ...places, force: true });
    expect(found.doubts).toEqual([expect.stringMatching(/is not the published t10k-images-idx3-ubyte\.gz/)]);
    expect([found.id, found.count, found.shape]).toEqual(["mnist-test", 2, colour32]);
    const inside = (at: number) => at >= 2 && at < 30;
    const expected = Array.from({ length: 3072 }, (_, at) => {
      return inside(at % 32) && inside(Math.floor(at / 32) % 32) ? 9 : 0;
    });
    expect([...imageAt(found, 1)]).toEqual(expected);
    expect(found.warnings.at(-1)).toMatch(/MNIST, test images, given a black margin, repeated in every channel/);
  });

  it("CIFAR-10 gets shapes of its size where MNIST is not there, and says so", async () => {
    const found = await loadUnrelated(dataset("cifar-10", colour32), places);
    expect([found.id, found.count, found.shape]).toEqual(["shapes", 2_000, colour32]);
    expect(found.warnings.join()).toMatch(/MNIST, test images are not on this machine/);
    const image = imageAt(found, 0);
    expect(Math.max(...image)).toBeGreaterThan(100);
    expect([...image.subarray(0, 1024)]).toEqual([...image.subarray(2048)]);
  });

  it("any other data set gets shapes as large as fit", async () => {
    const found = await loadUnrelated(dataset("pets", { channels: 1, height: 20, width: 12 }), places);
    const { pixels: _, ...rest } = found;
    expect(rest).toMatchObject({ id: "shapes", count: 2_000, shape: { channels: 1, height: 20, width: 12 } });
    expect([...imageAt(found, 0).subarray(0, 48)].every((pixel) => pixel === 0)).toBe(true);
    expect(Math.max(...imageAt(found, 0))).toBeGreaterThan(100);
  });
});

describe("chosen", () => {
  it("by name or path, converted, the same at every call", async () => {
    const pets = dataset("pets", { channels: 1, height: 10, width: 10 });
    const path = join(root, "other.npz");
    const [images, labels] = [Uint8Array.from({ length: 4 * 1200 }, (_, i) => i % 251), Uint8Array.of(0, 1, 0, 1)];
    const arrays = [
      { name: "images.npy", bytes: npy("|u1", [4, 20, 20, 3], images) },
      { name: "labels.npy", bytes: npy("|u1", [4], labels) },
    ];
    await writeFile(path, zip(arrays));
    const found = await loadUnrelated(pets, { ...places, source: path });
    expect([found.shape, found.count]).toEqual([pets.train.shape, 2]);
    expect(found.warnings.at(-1)).toMatch(/shrunk, made grey \(3×20×20 to 1×10×10\)/);
    const hash = (set: typeof found) => hashImages([{ ...set, classes: 1, labels: new Uint16Array(set.count) }]);
    expect(hash(await loadUnrelated(pets, { ...places, source: path }))).toBe(hash(found));
    await putMnist();
    expect((await loadUnrelated(pets, { ...places, source: "mnist-test", force: true })).count).toBe(2);
    expect((await loadUnrelated(pets, { ...places, source: "digits" })).count).toBe(2_000);
  });

  it("is refused where it is unknown, not there, or the data set itself", async () => {
    const digits = await loadDataset("digits", { limits: { train: 2, test: 2 } });
    const load = (source: string) => loadUnrelated(digits, { ...places, source });
    await expect(load("nothing")).rejects.toMatchObject({
      code: "usage",
      hint: expect.stringContaining("kmnist-test"),
    });
    await expect(load("./nothing")).rejects.toMatchObject({ code: "bad-file" });
    await expect(load("mnist-test")).rejects.toMatchObject({ code: "bad-file" });
    await expect(load("digits")).rejects.toThrow(/the data set itself/);
  });
});
