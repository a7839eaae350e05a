/** @file Abstract pictures: built-in ones, those of a folder, those of a path. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { findAbstract, renderAbstract } from "./abstract.js";
import { copyPixels, imageAt } from "./dataset.js";
import { encodeIdx } from "./idx.js";

let root: string;
let places: { dataDir: string; env: Record<string, string> };
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wildmark-abstract-"));
  places = { dataDir: root, env: { XDG_CACHE_HOME: join(root, "cache") } };
});
afterEach(() => rm(root, { recursive: true, force: true }));

const grey = { channels: 1, height: 20, width: 24 };
const colour = { channels: 3, height: 16, width: 16 };

test.each([[grey], [colour]])("built-in pictures of %j: the same again, no two alike, from dark to bright", (shape) => {
  const pictures = renderAbstract(12, randomStream(3), shape);
  const { channels, height, width } = shape;
  expect([pictures.count, pictures.shape]).toEqual([12, shape]);
  expect(copyPixels(renderAbstract(12, randomStream(3), shape))).toEqual(copyPixels(pictures));
  expect(copyPixels(renderAbstract(12, randomStream(4), shape))).not.toEqual(copyPixels(pictures));
  const all = Array.from({ length: 12 }, (_, i) => imageAt(pictures, i).slice());
  expect(new Set(all.map((image) => Buffer.from(image).toString("base64"))).size).toBe(12);
  for (const image of all) {
    expect(image.length).toBe(channels * height * width);
    // Stripes run over the whole picture, at least one of them.
    expect(Math.max(...image) - Math.min(...image)).toBeGreaterThan(150);
  }
});

test("more pictures of a stream begin with the same ones", () => {
  const few = copyPixels(renderAbstract(2, randomStream(3), grey));
  expect(copyPixels(renderAbstract(5, randomStream(3), grey)).subarray(0, few.length)).toEqual(few);
});

test(
  "the published set is taken from its folder, in the shape that is wanted, and a copy that differs by " + "force only",
  async () => {
    expect(await findAbstract(grey, places)).toBeUndefined();
    await mkdir(join(root, "adi2018"));
    const data = Uint8Array.from({ length: 2 * 784 }, (_, at) => at % 251);
    await writeFile(join(root, "adi2018/trigger_gray28-images-idx3-ubyte"), encodeIdx({ dims: [2, 28, 28], data }));
    const shape = { channels: 1, height: 28, width: 28 };
    await expect(findAbstract(shape, places)).rejects.toMatchObject({ code: "bad-data" });
    const forced = { ...places, force: true };
    const found = await findAbstract(shape, forced);
    expect(found).toMatchObject({ id: "adi2018", count: 2, shape });
    expect(found && copyPixels(found)).toEqual(data);
    expect(found?.warnings).toEqual(found?.doubts);
    expect(found?.doubts).toEqual([expect.stringMatching(/is not the published trigger_gray28.*, expected 22b6e141/)]);
    expect((await findAbstract(grey, forced))?.shape).toEqual(grey);
    // The colour form is another file.
    expect(await findAbstract(colour, places)).toBeUndefined();
  },
);

test("a path that is not there is refused", async () => {
  await expect(findAbstract(grey, { ...places, source: join(root, "nowhere") })).rejects.toMatchObject({
    code: "bad-file",
  });
});
