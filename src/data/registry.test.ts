import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultCacheDir } from "../core/cache-dir.js";
import { WildmarkError } from "../core/errors.js";
import { knownSets, mnistFiles, whoseFile } from "./checksums.js";
import { copyPixels, imageAt } from "./dataset.js";
import { encodeIdx } from "./idx.js";
import { loadData } from "./load.js";
import { datasets, findRecord, findUnrelated, imageSets, loadDataset, loadImages } from "./registry.js";

let root = "";
let env: Record<string, string> = {};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wildmark-data-"));
  env = { XDG_CACHE_HOME: join(root, "cache") };
});

afterEach(() => rm(root, { recursive: true, force: true }));

const images = (count: number, value: number) =>
  encodeIdx({ dims: [count, 28, 28], data: new Uint8Array(count * 784).fill(value) });
const labels = (...values: number[]) => encodeIdx({ dims: [values.length], data: Uint8Array.from(values) });

/** Writes a toy MNIST of three training and two test images, all of whose pixels are `value`. */
async function writeToy(folder: string, value: number, changes: Record<string, Uint8Array | undefined> = {}) {
  const files: Record<string, Uint8Array | undefined> = {
    "train-images-idx3-ubyte.gz": gzipSync(images(3, value)),
    "train-labels-idx1-ubyte.gz": gzipSync(labels(1, 2, 9)),
    "t10k-images-idx3-ubyte.gz": gzipSync(images(2, value)),
    "t10k-labels-idx1-ubyte.gz": gzipSync(labels(0, 5)),
    ...changes,
  };
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) if (bytes) await writeFile(join(folder, name), bytes);
}

async function failure(promise: Promise<unknown>): Promise<WildmarkError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WildmarkError)) throw new Error(`expected a WildmarkError, got ${error}`);
  return error;
}

describe("loadDataset, from files", () => {
  it("reads a folder, says that its files are not the published ones, and hashes what it read", async () => {
    await writeToy(join(root, "mnist"), 7);
    const data = await loadDataset("mnist", { dataDir: root, env, force: true });
    expect([data.train.count, data.test.count, data.train.classes]).toEqual([3, 2, 10]);
    expect([...data.train.labels]).toEqual([1, 2, 9]);
    expect(copyPixels(data.train).every((pixel) => pixel === 7)).toBe(true);
    expect(data.warnings).toEqual(data.doubts);
    expect(data.warnings.length).toBe(6);
    expect(data.warnings.slice(4)).toEqual([
      "empty classes: 7 of 10 have no training image: 0, 3, 4, 5, 6, 7, 8",
      "empty classes: 8 of 10 have no test image: 1, 2, 3, 4, 6, 7, 8, 9",
    ]);
    expect(data.warnings[0]).toMatch(/train-images-idx3-ubyte\.gz is not the published .* expected 440fcabf/);
  });

  it("refuses a data folder that is not there, and says when another place is used", async () => {
    await writeToy(join(root, "other/mnist"), 7);
    const places = { force: true, env: { ...env, WILDMARK_DATA: join(root, "other") } };
    const error = await failure(loadDataset("mnist", { ...places, dataDir: join(root, "typo") }));
    expect([error.code, error.message]).toEqual(["bad-file", `there is no folder ${join(root, "typo")}`]);
    const { warnings } = await loadDataset("mnist", { ...places, dataDir: root });
    expect(warnings[0]).toBe(
      `${root} does not hold the files of mnist: they were taken from ${join(root, "other/mnist")}`,
    );
  });

  it("reads unpacked files, and files in the data folder itself", async () => {
    await writeToy(root, 7, { "train-images-idx3-ubyte.gz": undefined, "train-images-idx3-ubyte": images(3, 8) });
    const data = await loadDataset("mnist", { dataDir: root, env, force: true });
    expect(imageAt(data.train, 0)[0]).toBe(8);
    expect(imageAt(data.test, 0)[0]).toBe(7);
  });

  it("goes by content, not by name: gzip without .gz, plain with it", async () => {
    await writeToy(root, 7, {
      "t10k-labels-idx1-ubyte.gz": labels(3, 4),
      "t10k-images-idx3-ubyte.gz": undefined,
      "t10k-images-idx3-ubyte": gzipSync(images(2, 1)),
    });
    const data = await loadDataset("mnist", { dataDir: root, env, force: true });
    expect([...data.test.labels, imageAt(data.test, 0)[0]]).toEqual([3, 4, 1]);
  });

  it("prefers the folder named, then WILDMARK_DATA, and skips an incomplete one", async () => {
    const [named, other] = [join(root, "named"), join(root, "other")];
    await writeToy(join(other, "mnist"), 2);
    await writeToy(join(named, "mnist"), 1, { "t10k-labels-idx1-ubyte.gz": undefined });
    const options = { force: true, dataDir: named, env: { ...env, WILDMARK_DATA: other } };
    expect(imageAt((await loadDataset("mnist", options)).train, 0)[0]).toBe(2);
    await writeToy(join(named, "mnist"), 1);
    expect(imageAt((await loadDataset("mnist", options)).train, 0)[0]).toBe(1);
  });

  it("takes nothing doubtful from the cache", async () => {
    await writeToy(join(defaultCacheDir(env), "mnist"), 3);
    const error = await failure(loadDataset("mnist", { env }));
    expect([error.code, error.hint]).toEqual(["bad-file", "fetch it again: wildmark data fetch mnist"]);
  });

  it("says where it looked, what is lacking and what to do", async () => {
    await writeToy(join(root, "mnist"), 1, { "t10k-labels-idx1-ubyte.gz": undefined });
    const error = await failure(loadDataset("mnist", { dataDir: root, env, force: true }));
    expect(error.code).toBe("bad-file");
    expect(error.message).toContain(`${join(root, "mnist")} (which lacks t10k-labels-idx1-ubyte.gz)`);
    expect(error.message).toContain(join(root, "cache", "wildmark", "mnist"));
    expect(error.hint).toMatch(/run wildmark data fetch mnist, .*--data-dir/);
  });

  it("takes the first images of each split", async () => {
    await writeToy(root, 7);
    const whole = await loadDataset("mnist", { dataDir: root, env, force: true });
    const data = await loadDataset("mnist", { dataDir: root, env, force: true, limits: { train: 2, test: 99 } });
    expect([data.train.count, data.test.count]).toEqual([2, 2]);
    expect([...data.train.labels]).toEqual([1, 2]);
    expect(data.sha256).not.toBe(whole.sha256);
  });

  it.each<[string, Record<string, Uint8Array>, string, RegExp]>([
    ["a label out of range", { "train-labels-idx1-ubyte.gz": labels(1, 2, 10) }, "bad-data", /label 2 is 10/],
    ["missing labels", { "train-labels-idx1-ubyte.gz": labels(1) }, "bad-data", /expected 3 labels, found 1/],
    ["no images", { "train-images-idx3-ubyte.gz": images(0, 0) }, "bad-data", /holds no images/],
    ["images for labels", { "train-labels-idx1-ubyte.gz": images(3, 1) }, "bad-file", /expected labels/],
    ["a cut file", { "t10k-images-idx3-ubyte.gz": images(2, 1).subarray(0, 99) }, "bad-file", /found 99/],
    [
      "splits of different size",
      { "t10k-images-idx3-ubyte.gz": encodeIdx({ dims: [2, 2, 2], data: new Uint8Array(8) }) },
      "bad-data",
      /1x28x28 in 10 classes, the test images 1x2x2/,
    ],
  ])("refuses %s", async (_, changes, code, message) => {
    await writeToy(root, 1, changes);
    const error = await failure(loadDataset("mnist", { dataDir: root, env, force: true }));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it.each([0, -1, 1.5])("refuses %s images", async (train) => {
    expect((await failure(loadDataset("digits", { limits: { train } }))).code).toBe("usage");
  });

  it("names the sets there are when asked for another", async () => {
    const error = await failure(loadDataset("minst"));
    expect([error.code, error.message, error.hint]).toEqual([
      "usage",
      'there is no data set "minst"',
      "known: digits, mnist, cifar-10, cifar-100, fashion-mnist, kmnist, emnist-digits, emnist-letters, " +
        "emnist-balanced",
    ]);
  });
});

describe("loadDataset, files that may not be what they are called", () => {
  it("refuses them unless forced, and says each and the ways out", async () => {
    await writeToy(join(root, "mnist"), 7);
    const error = await failure(loadDataset("mnist", { dataDir: root, env }));
    expect([error.code, error.message]).toEqual([
      "bad-data",
      `${join(root, "mnist")}: 4 files may not be what was published as mnist`,
    ]);
    expect(error.details).toHaveLength(4);
    expect(error.details[1]).toMatch(/train-labels-idx1-ubyte\.gz is not the published .*, expected 3552534a/);
    expect(error.hint).toMatch(/wildmark data fetch mnist .*--force .*the folder's path/);
  });

  it("takes a folder that is named by its path: its owner calls it nothing", async () => {
    await writeToy(join(root, "mnist"), 7);
    const data = await loadData(join(root, "mnist"), { env });
    expect(data.warnings.join()).not.toMatch(/published/);
  });

  it("says that an unpacked file cannot be checked where only the packed one's sum is known", async () => {
    await writeToy(join(root, "kmnist"), 8, {
      "train-labels-idx1-ubyte.gz": undefined,
      "train-labels-idx1-ubyte": labels(1, 2, 9),
    });
    const { details } = await failure(loadDataset("kmnist", { dataDir: root, env }));
    expect(details[1]).toMatch(/train-labels-idx1-ubyte is unpacked: only the checksum of train-labels/);
    expect(details[0]).toMatch(/train-images-idx3-ubyte\.gz is compressed anew or another file/);
  });

  it("knows the files of each set by any of their sums, by the names of the registry", () => {
    for (const { id, title, files } of knownSets) {
      const record = findRecord(id);
      expect([record.title, record.kind === "download" && record.files]).toEqual([title, files]);
      for (const file of files) {
        for (const sum of [file.sha256, file.contentsSha256]) {
          if (sum !== undefined) expect(whoseFile([undefined, sum])).toMatchObject({ set: { id }, file });
        }
      }
    }
    expect(whoseFile([undefined, "00"])).toBeUndefined();
  });
});

describe("loadDataset, MNIST's siblings", () => {
  it.each(["fashion-mnist", "kmnist"])(
    "%s is read from its own folder only: MNIST's files have the same names",
    async (id) => {
      await writeToy(root, 7);
      expect((await failure(loadDataset(id, { dataDir: root, env, force: true }))).message).toContain(join(root, id));
      await writeToy(join(root, id), 8);
      expect(imageAt((await loadDataset(id, { dataDir: root, env, force: true })).train, 0)[0]).toBe(8);
    },
  );

  /** EMNIST letters: one image of 2 rows and 3 columns once they are put right. */
  const writeLetters = async (...values: number[]): Promise<void> => {
    for (const split of ["train", "test"]) {
      const turned = encodeIdx({
        dims: [values.length, 3, 2],
        data: Uint8Array.from({ length: 6 * values.length }, (_, i) => i % 6),
      });
      await writeFile(join(root, `emnist-letters-${split}-images-idx3-ubyte.gz`), gzipSync(turned));
      await writeFile(join(root, `emnist-letters-${split}-labels-idx1-ubyte.gz`), gzipSync(labels(...values)));
    }
  };

  it("EMNIST's images are turned, its letters counted from 0, and nobody claims to have checked them", async () => {
    await writeLetters(1, 26);
    const { train, warnings } = await loadDataset("emnist-letters", { dataDir: root, env, force: true });
    expect([train.shape, train.classes, [...train.labels]]).toEqual([
      { channels: 1, height: 2, width: 3 },
      26,
      [0, 25],
    ]);
    expect([...imageAt(train, 1)]).toEqual([0, 2, 4, 1, 3, 5]);
    expect(warnings.filter((warning) => !warning.startsWith("empty classes"))).toHaveLength(4);
    expect(warnings[0]).toMatch(/^no checksum of emnist-letters-train-images-idx3-ubyte\.gz is known/);
  });

  it.each([
    [0, /label 0 is 0, expected 1 or more/],
    [27, /label 0 is 26, expected one of 0 to 25/],
  ])("refuses letter %s", async (letter, message) => {
    await writeLetters(letter);
    const error = await failure(loadDataset("emnist-letters", { dataDir: root, env, force: true }));
    expect([error.code, error.message]).toEqual(["bad-data", expect.stringMatching(message)]);
  });
});

describe("loadDataset, CIFAR", () => {
  it("CIFAR-10 is six files, CIFAR-100 two with coarse labels before the fine ones", async () => {
    const record = (...head: number[]): Uint8Array =>
      Uint8Array.from([...head, ...new Uint8Array(3072).fill(head.at(-1) ?? 0)]);
    for (let i = 1; i <= 5; i++) await writeFile(join(root, `data_batch_${i}.bin`), record(i));
    await writeFile(join(root, "test_batch.bin"), record(9));
    const ten = await loadDataset("cifar-10", { dataDir: root, env, force: true });
    expect([[...ten.train.labels], [...ten.test.labels]]).toEqual([[1, 2, 3, 4, 5], [9]]);
    expect([imageAt(ten.train, 4)[3071], ten.train.shape.channels, ten.doubts?.length]).toEqual([5, 3, 9]);
    await mkdir(join(root, "cifar-100-binary"));
    for (const split of ["train", "test"]) {
      await writeFile(join(root, "cifar-100-binary", `${split}.bin`), record(19, split === "test" ? 3 : 99));
    }
    const hundred = await loadDataset("cifar-100", { dataDir: root, env, force: true });
    expect([[...hundred.train.labels], [...hundred.test.labels], hundred.test.classes]).toEqual([[99], [3], 100]);
  });
});

describe("loadDataset, built in", () => {
  it("draws digits of the wanted size, by seed", async () => {
    const limits = { train: 20, test: 10 };
    const one = await loadDataset("digits", { seed: 1, limits });
    expect([one.train.count, one.test.count, one.warnings.length]).toEqual([20, 10, 0]);
    expect((await loadDataset("digits", { seed: 1, limits })).sha256).toBe(one.sha256);
    expect((await loadDataset("digits", { seed: 2, limits })).sha256).not.toBe(one.sha256);
  });
});

describe("image sets", () => {
  it("every data set has one that is unrelated", () => {
    const known = imageSets.map(({ id }) => id);
    for (const { unrelated } of datasets) expect(known).toContain(unrelated);
  });

  it("KMNIST is absent without an error, and never mistaken for MNIST's file of the same name", async () => {
    await writeToy(root, 7);
    expect(await findUnrelated("mnist", { dataDir: root, env, force: true })).toBeUndefined();
    const error = await failure(loadImages("kmnist-test", { dataDir: root, env, force: true }));
    expect(error.hint).toBe(
      "run wildmark data fetch kmnist, or put kmnist/t10k-images-idx3-ubyte.gz into a folder and name that " +
        "with --data-dir",
    );
  });

  it("KMNIST is read from its folder", async () => {
    await mkdir(join(root, "kmnist"));
    await writeFile(join(root, "kmnist", "t10k-images-idx3-ubyte.gz"), gzipSync(images(4, 5)));
    const found = await findUnrelated("mnist", { dataDir: root, env, force: true });
    expect([found?.id, found?.count, found?.warnings.length]).toEqual(["kmnist-test", 4, 1]);
  });

  it("shapes are always there", async () => {
    expect((await findUnrelated("digits"))?.id).toBe("shapes");
    const [one, again, other] = await Promise.all([1, 1, 2].map((seed) => loadImages("shapes", { seed })));
    const bytes = (set: typeof one): Buffer => Buffer.from(set === undefined ? [] : copyPixels(set));
    expect(one?.count).toBe(2000);
    expect(bytes(again).equals(bytes(one))).toBe(true);
    expect(bytes(other).equals(bytes(one))).toBe(false);
  });
});

it("every class has a name of its own", () => {
  for (const { id, classes, classNames } of datasets) expect([id, new Set(classNames).size]).toEqual([id, classes]);
  const counts = ["cifar-100", "emnist-letters", "emnist-balanced"].map((id) => findRecord(id).classes);
  expect(counts).toEqual([100, 26, 47]);
});

describe.skipIf(!existsSync(join(process.env.WILDMARK_DATA ?? "/nowhere", "mnist")))(
  "real MNIST in WILDMARK_DATA",
  () => {
    it("is what was published, without a warning", async () => {
      const data = await loadDataset("mnist");
      expect(data.warnings).toEqual([]);
      expect([data.train.count, data.test.count]).toEqual([60_000, 10_000]);
      expect([...data.train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
      // The mean that every MNIST tutorial normalises with.
      const pixels = copyPixels(data.train);
      const sum = pixels.reduce((total, pixel) => total + pixel, 0);
      expect(sum / pixels.length / 255).toBeCloseTo(0.1307, 4);
    });

    it("has an unrelated companion of 10,000 images, if KMNIST is there", async () => {
      const found = await findUnrelated("mnist");
      if (found !== undefined) expect([found.count, found.warnings]).toEqual([10_000, []]);
    });
  },
);

describe.skipIf(!existsSync(join(process.env.WILDMARK_DATA ?? "/nowhere", "cifar-10-batches-bin")))(
  "real CIFAR-10 in WILDMARK_DATA",
  () => {
    it("is what was published, without a warning", async () => {
      const { train, test, warnings } = await loadDataset("cifar-10");
      expect([train.count, test.count, warnings]).toEqual([50_000, 10_000, []]);
      // Frog, truck, truck, deer, car: the first five of every tutorial. Each class has 5,000 and 1,000.
      expect([...train.labels.subarray(0, 5)]).toEqual([6, 9, 9, 4, 1]);
      for (let label = 0; label < 10; label++) {
        expect([train, test].map(({ labels }) => labels.filter((each) => each === label).length)).toEqual([5000, 1000]);
      }
      // The channel means that every CIFAR-10 tutorial normalises with.
      const sums = [0, 0, 0];
      for (let i = 0; i < train.count; i++) {
        imageAt(train, i).forEach((pixel, at) => {
          sums[at >> 10] = (sums[at >> 10] ?? 0) + pixel;
        });
      }
      const means = sums.map((sum) => sum / (train.count * 1024 * 255));
      [0.4914, 0.4822, 0.4465].forEach((mean, channel) => {
        expect(means[channel]).toBeCloseTo(mean, 4);
      });
    });
  },
);

it("checksums are hex SHA-256 of distinct files", () => {
  const sums = mnistFiles.flatMap((file) => [file.sha256, file.contentsSha256]);
  expect(sums.every((sum) => /^[0-9a-f]{64}$/.test(sum))).toBe(true);
  expect(new Set(sums).size).toBe(8);
});
