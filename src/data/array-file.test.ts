import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { encodeSafetensors } from "../core/safetensors.js";
import type { Tensor } from "../core/tensor.js";
import { imageAt } from "./dataset.js";
import { loadPath } from "./path.js";
import { npy, zip } from "./testing/archives.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-arrays-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Twelve images of one pixel, whose value is 100 times the label plus a running number, in two classes. */
const labels = Uint8Array.from({ length: 12 }, (_, i) => i % 2);
const pixels = Uint8Array.from(labels, (label, i) => 100 * label + i);

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

test("an .npz without test images is split, each class in the same share, and says so", async () => {
  const bytes = zip([
    { name: "images.npy", bytes: npy("|u1", [12, 1, 1], pixels) },
    { name: "labels.npy", bytes: npy("|u1", [12], labels) },
  ]);
  const { train, test: held, warnings } = await loadPath(await put("a.NPZ", bytes));
  expect([train.count, held.count, [...held.labels].sort()]).toEqual([10, 2, [0, 1]]);
  const all = [train, held].flatMap((split) => [...split.labels].map((label, i) => [imageAt(split, i)[0] ?? 0, label]));
  expect(all.map(([pixel]) => pixel).sort((a = 0, b = 0) => a - b)).toEqual([...pixels].sort((a, b) => a - b));
  for (const [pixel = 0, label] of all) expect(pixel >= 100 ? 1 : 0).toBe(label);
  expect(warnings).toEqual([
    expect.stringMatching(/a\.NPZ: taken for npz: 2 classes, 10 \+ 2 images, grey, 1x1$/),
    "no test images: 2 of 12, about one in six of each class, are kept for testing (seed 0)",
  ]);
});

test("a .safetensors file with both splits is taken as it is", async () => {
  const images: Tensor = { type: "uint8", dims: [12, 1, 1], data: pixels };
  const numbers: Tensor = { type: "uint8", dims: [12], data: labels };
  const tensors = new Map([
    ["train.images", images],
    ["train.labels", numbers],
    ["test.images", images],
    ["test.labels", numbers],
  ]);
  const path = await put("a.safetensors", encodeSafetensors({ metadata: new Map(), tensors }));
  const { train, test: held, warnings } = await loadPath(path);
  expect([train.count, held.count, warnings.length]).toEqual([12, 12, 1]);
  await expect(loadPath(path, { resize: { height: 2, width: 2 } })).rejects.toMatchObject({ code: "usage" });
});

test("a class of one image and a damaged file are refused", async () => {
  const single = zip([
    { name: "images.npy", bytes: npy("|u1", [3, 1, 1], Uint8Array.of(1, 2, 3)) },
    { name: "labels.npy", bytes: npy("|u1", [3], Uint8Array.of(0, 0, 4)) },
  ]);
  await expect(loadPath(await put("a.npz", single))).rejects.toMatchObject({
    code: "bad-data",
    message: "class 4 has a single image, which cannot be split into train and test",
  });
  await expect(loadPath(await put("b.npz", single.subarray(0, 60)))).rejects.toMatchObject({ code: "bad-file" });
});
