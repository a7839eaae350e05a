/**
 * @file Known files under other names. The published files are nowhere in the repository, so toy files are made known
 * by their sums here; the real ones are tried where WILDMARK_DATA has them.
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { WildmarkError } from "../core/errors.js";
import type { KnownSet } from "./checksums.js";
import { loadData } from "./load.js";
import { findFiles } from "./places.js";
import { loadDataset } from "./registry.js";

const contents = {
  pets: Buffer.from("images of pets"),
  petLabels: Buffer.from("labels of pets"),
  cars: Buffer.from("cars"),
};
const sum = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const known = (name: string, bytes: Uint8Array) => ({
  name,
  sha256: sum(gzipSync(bytes, { level: 9 })),
  contentsSha256: sum(bytes),
  contentsBytes: bytes.length,
});
const pets: KnownSet = {
  id: "pets",
  title: "Toy Pets",
  files: [known("images.gz", contents.pets), known("labels.gz", contents.petLabels)],
};
const cars: KnownSet = { id: "cars", title: "Toy Cars", files: [known("images.gz", contents.cars)] };

vi.mock("./checksums.js", async (original) => {
  const actual = await original<typeof import("./checksums.js")>();
  return {
    ...actual,
    whoseFile: (sums: readonly (string | undefined)[]) => actual.whoseFile(sums, [...actual.knownSets, pets, cars]),
  };
});

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "wildmark-places-"));
  for (const { id } of [pets, cars]) await mkdir(join(root, id));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const find = async (set: KnownSet, force: boolean) =>
  findFiles(
    { ...set, folder: set.id, flat: false },
    { dataDir: root, force, env: { XDG_CACHE_HOME: join(root, "cache") } },
  );

async function refusal(promise: Promise<unknown>): Promise<WildmarkError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WildmarkError)) throw new Error(`expected a WildmarkError, got ${error}`);
  return error;
}

it.each<[string, Uint8Array]>([
  ["as published", gzipSync(contents.pets, { level: 9 })],
  ["compressed anew", gzipSync(contents.pets, { level: 0 })],
  ["unpacked", contents.pets],
])("another set's file, %s, is refused by that set's name, even by force", async (_, bytes) => {
  await writeFile(join(root, "cars/images.gz"), bytes);
  for (const force of [false, true]) {
    const error = await refusal(find(cars, force));
    expect([error.code, error.message]).toEqual([
      "bad-data",
      `${join(root, "cars")}: these are Toy Pets's files, not those of cars`,
    ]);
    expect(error.details).toEqual([`${join(root, "cars/images.gz")} is images.gz of Toy Pets`]);
    expect(error.hint).toMatch(/--dataset pets/);
  }
});

it("a set's own files under each other's names are refused, too", async () => {
  await writeFile(join(root, "pets/images.gz"), contents.petLabels);
  await writeFile(join(root, "pets/labels.gz"), contents.pets);
  const { message, details, hint } = await refusal(find(pets, true));
  expect(message).toBe(`${join(root, "pets")}: files of Toy Pets under the names of others`);
  expect([details.length, hint]).toEqual([2, expect.stringMatching(/their own names/)]);
});

it("files as published, compressed anew or unpacked raise no doubt; others do, by force", async () => {
  await writeFile(join(root, "pets/labels.gz"), gzipSync(contents.petLabels, { level: 0 }));
  for (const bytes of [gzipSync(contents.pets, { level: 9 }), contents.pets]) {
    await writeFile(join(root, "pets/images.gz"), bytes);
    expect((await find(pets, false))?.doubts).toEqual([]);
  }
  await writeFile(join(root, "pets/images.gz"), Buffer.from("images of others"));
  expect((await refusal(find(pets, false))).code).toBe("bad-data");
  const forced = await find(pets, true);
  expect(forced?.doubts).toEqual([expect.stringMatching(/is not the published images\.gz/)]);
  expect(forced?.warnings).toEqual(forced?.doubts);
});

const real = join(process.env.WILDMARK_DATA ?? "/nowhere", "fashion-mnist");
const test = "t10k-labels-idx1-ubyte";

it.skipIf(!existsSync(join(real, test)))("real Fashion-MNIST among MNIST's files is refused by its name", async () => {
  await mkdir(join(root, "mnist"));
  for (const name of ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]) {
    await copyFile(join(real, `${name}-ubyte`), join(root, "mnist", `${name}-ubyte`));
  }
  const byPath = await loadData(join(root, "mnist"));
  expect([byPath.classNames?.[9], byPath.doubts]).toEqual([
    "Ankle boot",
    ["the folder is called mnist, but its files are Fashion-MNIST's"],
  ]);
  const error = await refusal(loadDataset("mnist", { dataDir: root, env: {}, force: true }));
  expect(error.message).toBe(`${join(root, "mnist")}: these are Fashion-MNIST's files, not those of mnist`);
});
