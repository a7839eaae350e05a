/** @file Folders with the files of MNIST or CIFAR, read by their path; and what is not to be taken for one. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { imageAt } from "./dataset.js";
import { encodeIdx } from "./idx.js";
import { loadPath } from "./path.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wildmark-arrays-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), bytes);
}

const images = (count: number) =>
  encodeIdx({ dims: [count, 2, 3], data: Uint8Array.from({ length: 6 * count }, (_, i) => i) });
const labels = (...numbers: number[]) => encodeIdx({ dims: [numbers.length], data: Uint8Array.from(numbers) });
/** Records of CIFAR: each image all of one level, ten times its label. */
const records = (labelBytes: number, ...numbers: number[]) =>
  Uint8Array.from(
    numbers.flatMap((label) => [...new Array(labelBytes).fill(label), ...new Array(3072).fill(10 * label)]),
  );

async function putIdx(folder: string): Promise<void> {
  await put(`${folder}/train-images-idx3-ubyte.gz`, gzipSync(images(4)));
  await put(`${folder}/train-labels-idx1-ubyte`, labels(0, 6, 0, 6));
}
const putCifar = (folder: string) =>
  Promise.all([
    put(`${folder}/data_batch_1.bin`, records(1, 0, 1)),
    put(`${folder}/data_batch_2.bin`, records(1, 9)),
    put(`${folder}/test_batch.bin`, records(1, 2)),
  ]);

describe("IDX files", () => {
  it("are read with their test part, gzipped or not, in either spelling", async () => {
    await putIdx("own");
    await put("own/t10k-images.idx3-ubyte", images(1));
    await put("own/t10k-labels.idx1-ubyte", labels(3));
    const { id, train, test, warnings } = await loadPath(join(root, "own"));
    expect([id, train.classes, [...train.labels], [...test.labels]]).toEqual(["own", 7, [0, 6, 0, 6], [3]]);
    expect([...imageAt(train, 1)]).toEqual([6, 7, 8, 9, 10, 11]);
    expect(warnings).toEqual([
      expect.stringMatching(/taken for idx: 7 classes, 4 \+ 1 images, grey, 2x3/),
      "empty classes: 5 of 7 have no training image: 1, 2, 3, 4, 5",
      "empty classes: 6 of 7 have no test image: 0, 1, 2, 4, 5, 6",
    ]);
  });

  it("of a validation split are passed over, and said", async () => {
    await putIdx("own");
    await put("own/val-images-idx3-ubyte", images(1));
    await put("own/val-labels-idx1-ubyte", labels(3));
    const { train, warnings } = await loadPath(join(root, "own"));
    expect(train.classes).toBe(7);
    expect(warnings[1]).toMatch(/^val-images-idx3-ubyte, val-labels-idx1-ubyte are not used/);
  });

  it("without a test part have one held back, by the seed", async () => {
    await putIdx("own");
    const load = async (seed: number) => (await loadPath(join(root, "own"), { seed })).sha256;
    const { test, warnings } = await loadPath(join(root, "own"));
    expect([[...test.labels], warnings[1]]).toEqual([[0, 6], expect.stringMatching(/2 of 4/)]);
    expect(new Set(await Promise.all([0, 1, 2, 3, 4, 5].map(load))).size).toBeGreaterThan(1);
  });

  it("that lack labels, or have others, are refused", async () => {
    await put("own/train-images-idx3-ubyte", images(4));
    await expect(loadPath(join(root, "own"))).rejects.toThrow(/lacks the labels that belong to train-images/);
    await put("own/train-labels-idx1-ubyte", labels(1, 2));
    await expect(loadPath(join(root, "own"))).rejects.toThrow(/expected 4 labels, found 2/);
    await put("own/train-labels-idx1-ubyte", labels(1, 2).subarray(0, 9));
    await expect(loadPath(join(root, "own"))).rejects.toMatchObject({ code: "bad-file" });
  });
});

describe("CIFAR's files", () => {
  it("are read from their folder and from the one around it", async () => {
    await putCifar("data/cifar-10-batches-bin");
    for (const folder of ["data", "data/cifar-10-batches-bin"]) {
      const { train, test, warnings } = await loadPath(join(root, folder));
      expect([train.classes, [...train.labels], [...test.labels]]).toEqual([10, [0, 1, 9], [2]]);
      expect([...new Set(imageAt(train, 2))]).toEqual([90]);
      expect(warnings[0]).toMatch(/taken for cifar-10: 10 classes, 3 \+ 1 images, colour, 32x32/);
    }
  });

  it("of CIFAR-100 have two labels; the fine one counts", async () => {
    await put("c/train.bin", records(2, 3, 4));
    await put("c/test.bin", records(2, 3));
    const { train } = await loadPath(join(root, "c"));
    expect([train.classes, [...train.labels]]).toEqual([100, [3, 4]]);
  });

  it("cut short are refused by name, as is another size", async () => {
    await putCifar("c");
    await expect(loadPath(join(root, "c"), { resize: { height: 2, width: 2 } })).rejects.toMatchObject({
      code: "usage",
    });
    await put("c/data_batch_2.bin", records(1, 9).subarray(1));
    await expect(loadPath(join(root, "c"))).rejects.toThrow(/data_batch_2\.bin: expected records/);
  });
});

it("a folder of data sets is neither one of them nor a folder of class folders", async () => {
  await putIdx("all/mnist");
  const hint = expect.stringContaining(join(root, "all/mnist"));
  await expect(loadPath(join(root, "all"))).rejects.toMatchObject({ code: "bad-file", hint });
  await putCifar("all/cifar-10-batches-bin");
  await expect(loadPath(join(root, "all"))).rejects.toThrow(/is no data set itself, but holds such as "cifar-10/);
});
