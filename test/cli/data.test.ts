/** @file Data that are not what they are called: refused, taken by force, and then said wherever a result stands. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copyPixels, type LabelledImages } from "../../src/data/dataset.js";
import { renderDigits } from "../../src/data/digits.js";
import { encodeIdx } from "../../src/data/idx.js";
import { experimentSchema } from "../../src/experiments/document.js";
import { type Ended, wildmark, workFolder } from "./command-line.js";
import { writeFixtures } from "./fixtures.js";

const work = await workFolder();
const { folder } = work;
afterAll(work.remove);

const MNIST = "--dataset mnist --data-dir data";

/** Digits of our own under MNIST's names. */
beforeAll(async () => {
  await mkdir(join(folder, "data/mnist"), { recursive: true });
  const put = async (split: string, images: LabelledImages): Promise<void> => {
    const file = (kind: string): string => join(folder, "data/mnist", `${split}-${kind}-ubyte`);
    await writeFile(file("images-idx3"), encodeIdx({ dims: [images.count, 28, 28], data: copyPixels(images) }));
    await writeFile(file("labels-idx1"), encodeIdx({ dims: [images.count], data: Uint8Array.from(images.labels) }));
  };
  await put("train", renderDigits("train", 300, 0));
  await put("t10k", renderDigits("test", 100, 0));
  await writeFixtures(folder);
});

const DOUBT = /train-images-idx3-ubyte is not the published train-images-idx3-ubyte\.gz: its SHA-256 is /;

function document({ status, stdout, stderr }: Ended): Record<string, unknown> {
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

test("files that are not known to be the published ones are refused without --force", async () => {
  for (const command of [`train ${MNIST} --out o.onnx`, `evaluate model.onnx ${MNIST}`]) {
    const { status, stdout, stderr } = await wildmark(folder, command);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^wildmark: data\/mnist: 4 files may not be what was published as mnist\n/);
    expect(stderr).toMatch(DOUBT);
    expect(stderr).toMatch(/\n {2}wildmark data fetch mnist gets .*; --force takes these/);
  }
});

test("with it, documents and text say so, --quiet or not; a path of one's own needs none", async () => {
  const line = `evaluate model.onnx ${MNIST} --force`;
  const [loud, quiet, json, own] = await Promise.all([
    wildmark(folder, line),
    wildmark(folder, `${line} --quiet`),
    wildmark(folder, `${line} --quiet --json`),
    wildmark(folder, "evaluate model.onnx --dataset ./data/mnist --json"),
  ]);
  expect(loud.stderr).toMatch(/^warning: .*train-images-idx3-ubyte is not the published/m);
  expect([quiet.status, quiet.stderr]).toEqual([0, ""]);
  expect(quiet.stdout).toContain("The data are doubtful:\n  - data/mnist/train-images-idx3-ubyte is not the published");
  const doubts = Array.from({ length: 4 }, () => expect.stringMatching(/is not the published/));
  expect(document(json)).toMatchObject({ dataset: { id: "mnist", doubts } });
  expect(document(own)).toMatchObject({ dataset: { id: "mnist", doubts: [] } });
});

test("train and remove carry the doubt into their documents", async () => {
  const flags = `${MNIST} --limit 200 --test-limit 50 --epochs 1 --force --quiet --json`;
  const [trained, removed] = await Promise.all([
    wildmark(folder, `train ${flags} --out trained.onnx`),
    wildmark(folder, `remove model.onnx --method fine-tune --fraction 0.5 ${flags} --out removed.onnx`),
  ]);
  for (const ended of [trained, removed]) {
    expect(document(ended)).toMatchObject({ dataset: { doubts: { length: 4 } } });
  }
});

test("embed says it of the pictures of a mark, too", async () => {
  const line =
    "embed --scheme unrelated --unrelated mnist-test --data-dir data --dataset digits --limit 200 --test-limit 50 " +
    "--triggers 10 --held-out 10 --epochs 1 --quiet --json --out m.onnx --key m.key";
  const refused = await wildmark(folder, line);
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringMatching(/a file may not be what was published/)]);
  const doubts = [expect.stringMatching(/t10k-images-idx3-ubyte is not the published/)];
  expect(document(await wildmark(folder, `${line} --force`))).toMatchObject({ dataset: { id: "digits", doubts } });
});

test("a bench has it in its result and report", async () => {
  await writeFile(
    join(folder, "small.yaml"),
    "title: Small\ndataset: mnist\ntraining: { epochs: 1 }\nmarks: [{ id: noise, options: { triggers: 4, " +
      "heldOut: 4 } }]\n" +
      "removers: [quantisation]\nbudgets: [50 %]\nseeds: [0]\nnullModels: 0\n",
  );
  const line = "bench small.yaml --data-dir data --out bench --quiet";
  expect((await wildmark(folder, line)).status).toBe(2);
  const { status, stdout, stderr } = await wildmark(folder, `${line} --force`);
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/Warning: The data are doubtful: .*is not the published/);
  const result = experimentSchema.parse(JSON.parse(await readFile(join(folder, "bench/result.json"), "utf8")));
  expect(result.data.doubts).toHaveLength(4);
  expect(await readFile(join(folder, "bench/report.html"), "utf8")).toMatch(DOUBT);
});

test("data list shows where doubtful files lie", async () => {
  const [said, json] = await Promise.all([
    wildmark(folder, "data list --data-dir data"),
    wildmark(folder, "data list --data-dir data --json"),
  ]);
  expect(said.stdout).toMatch(
    /^mnist .* data\/mnist, doubtful, taken with --force only: .*published.* \(and 3 more\)$/m,
  );
  const entry = { id: "mnist", available: true, place: "data/mnist", doubts: { length: 4 } };
  expect(JSON.parse(json.stdout)).toContainEqual(expect.objectContaining({ id: "mnist", available: true }));
  expect(JSON.parse(json.stdout)[1]).toMatchObject(entry);
});

test("data list PATH names the classes and counts their images; evaluate names them", async () => {
  for (const split of ["Train", "TEST", "val"]) {
    for (const name of ["cat", "dog"]) {
      const path = join(folder, "pets", split, name);
      await mkdir(path, { recursive: true });
      const raw = { width: 28, height: 28, channels: 1 } as const;
      await sharp(Buffer.alloc(784, 200), { raw }).toColourspace("b-w").png().toFile(join(path, "1.png"));
    }
  }
  const [said, json, nowhere] = await Promise.all([
    wildmark(folder, "data list pets --quiet"),
    wildmark(folder, "data list pets --json"),
    wildmark(folder, "data list nowhere"),
  ]);
  expect(said.stdout).toContain('"val" (2 images) is not used: "TEST" is the test set');
  expect(said.stdout).toMatch(/^ +0 {2}"cat" +1 +1$/m);
  expect(document(json)).toMatchObject({
    classes: [
      { label: 0, name: "cat", train: 1, test: 1 },
      { label: 1, name: "dog", train: 1, test: 1 },
    ],
    doubts: [],
  });
  expect([nowhere.status, nowhere.stderr]).toEqual([2, expect.stringMatching(/nowhere is no path of a data set/)]);
});
