/** @file Folders of images without classes, made here. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, expect, test } from "vitest";
import { imageAt } from "./dataset.js";
import { loadImageList } from "./image-list.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wildmark-list-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function picture(name: string, background: string, width = 3, height = 2): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await sharp({ create: { width, height, channels: 3, background } }).toFile(join(root, name));
}

test("all images below it, in the order of their paths, whatever its folders are called", async () => {
  await picture("b.png", "#0a141e");
  await picture("train/a.png", "#ff0080");
  await writeFile(join(root, "notes.txt"), "x");
  const { shape, count, names, notes, ...images } = await loadImageList(root);
  expect({ shape, count, names }).toEqual({
    shape: { channels: 3, height: 2, width: 3 },
    count: 2,
    names: ["b.png", "train/a.png"],
  });
  expect([...imageAt({ shape, count, ...images }, 0)]).toEqual([10, 20, 30].flatMap((v) => new Array(6).fill(v)));
  expect(notes).toEqual([expect.stringContaining("notes.txt")]);
});

test(
  "brought to a size and to colour or grey where that is asked for; sizes that differ are refused " + "otherwise",
  async () => {
    await picture("a.png", "#ffffff");
    await picture("b.png", "#000000", 6, 6);
    await expect(loadImageList(root)).rejects.toMatchObject({ code: "bad-data" });
    const { shape, ...rest } = await loadImageList(root, { resize: { height: 4, width: 4 }, channels: 1 });
    expect(shape).toEqual({ channels: 1, height: 4, width: 4 });
    expect([...imageAt({ shape, ...rest }, 0), ...imageAt({ shape, ...rest }, 1)]).toEqual(
      [255, 0].flatMap((v) => new Array(16).fill(v)),
    );
  },
);

test("no folder, no image and a damaged one are refused", async () => {
  await expect(loadImageList(join(root, "none"))).rejects.toMatchObject({ code: "bad-file" });
  await expect(loadImageList(root)).rejects.toMatchObject({ code: "bad-data" });
  await writeFile(join(root, "a.png"), "no picture");
  await expect(loadImageList(root)).rejects.toMatchObject({
    code: "bad-file",
    message: expect.stringContaining("a.png"),
  });
});
