/** @file A clone without its large files: each kind of file is named as the Git LFS pointer that lies in its place. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readSpec } from "../src/cli/commands/bench.js";
import { loadData } from "../src/data/load.js";
import { readDocument } from "../src/experiments/documents.js";
import { readModelFile } from "../src/onnx/model-file.js";
import { readKey } from "../src/ownership/key-file.js";

const folder = await mkdtemp(join(tmpdir(), "wildmark-lfs-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize 170498071\n`;

test.each<[string, readonly string[], (path: string) => Promise<unknown>]>([
  ["a model", ["m.onnx"], readModelFile],
  ["a key", ["k.safetensors"], readKey],
  ["a result", ["result.json"], readDocument],
  ["the spec of a bench", ["b.yaml"], (path) => readSpec(path, undefined)],
  ["arrays", ["a.npz"], (path) => loadData(path)],
  ["tensors", ["a.safetensors"], (path) => loadData(path)],
  [
    "a folder of images",
    ["train/cat/1.png", "train/dog/1.png", "test/cat/2.png", "test/dog/2.png"],
    (path) => loadData(dirname(dirname(dirname(path))), { env: { XDG_CACHE_HOME: join(folder, "cache") } }),
  ],
  [
    "IDX files",
    [
      "mnist/train-images-idx3-ubyte",
      "mnist/train-labels-idx1-ubyte",
      "mnist/t10k-images-idx3-ubyte",
      "mnist/t10k-labels-idx1-ubyte",
    ],
    (path) => loadData("mnist", { dataDir: dirname(dirname(path)) }),
  ],
])("%s", async (name, files, read) => {
  const paths = files.map((file) => join(folder, name, file));
  for (const path of paths) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, POINTER);
  }
  await expect(read(paths[0] ?? "")).rejects.toMatchObject({
    code: "bad-file",
    message: expect.stringContaining("found a Git LFS pointer"),
    hint: expect.stringContaining("git lfs pull"),
  });
});
