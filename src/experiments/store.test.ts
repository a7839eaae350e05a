/** @file Cells: found when they are finished and whole, computed again when anything about them is not. */

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { type Cell, finishCell, sha256 } from "./store.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wildmark-store-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const schema = z.object({ answer: z.number(), seconds: z.number() });
const bytes = Uint8Array.of(1, 2, 3);
const secret = Uint8Array.of(4, 5);

let computed = 0;
beforeEach(() => {
  computed = 0;
});

function cell(changes: Partial<Cell<z.infer<typeof schema>>> = {}): Cell<z.infer<typeof schema>> {
  return {
    name: "a-cell",
    spec: { question: [6, 7], nothing: null },
    schema,
    async compute() {
      computed += 1;
      return {
        result: { answer: 42, seconds: computed },
        files: { onnx: { bytes }, "key.safetensors": { bytes: secret, mode: 0o600 } },
      };
    },
    ...changes,
  };
}

const named = async (ending: string): Promise<string> => {
  const name = (await readdir(folder)).find((file) => file.endsWith(ending));
  if (name === undefined) throw new Error(`no file ends with ${ending}`);
  return join(folder, name);
};

test("a cell is computed once and found after that, with its files", async () => {
  const first = await finishCell(folder, cell());
  const second = await finishCell(folder, cell());
  expect(computed).toBe(1);
  expect(first.computed).toBe(true);
  expect(second).toEqual({ ...first, computed: false });
  expect(new Uint8Array(await readFile(second.paths.onnx ?? ""))).toEqual(bytes);
  const names = await readdir(folder);
  expect(names.length).toBe(3);
  for (const name of names) expect(name).toMatch(/^a-cell-[0-9a-f]{12}\.(json|onnx|key\.safetensors)$/);
});

test.skipIf(process.platform === "win32")("keys are for their owner only", async () => {
  await finishCell(folder, cell());
  expect((await stat(await named("key.safetensors"))).mode & 0o777).toBe(0o600);
});

test("the folder is made if need be", async () => {
  const deep = join(folder, "not", "yet");
  await finishCell(deep, cell());
  expect((await finishCell(deep, cell())).computed).toBe(false);
});

test("another spec or another name is another cell, beside the first", async () => {
  await finishCell(folder, cell());
  expect((await finishCell(folder, cell({ spec: { question: [6, 8], nothing: null } }))).computed).toBe(true);
  expect((await finishCell(folder, cell({ name: "b-cell" }))).computed).toBe(true);
  expect((await finishCell(folder, cell())).computed).toBe(false);
});

test.each<[string, () => Promise<void>]>([
  ["its result is missing", async () => rm(await named(".json"))],
  [
    "its result is truncated",
    async () => writeFile(await named(".json"), (await readFile(await named(".json"))).subarray(0, 60)),
  ],
  ["its result is empty", async () => writeFile(await named(".json"), "")],
  ["its result is JSON of another form", async () => writeFile(await named(".json"), '{"spec":{},"result":{}}')],
  ["its result fits no longer", async () => replaceIn(await named(".json"), '"answer": 42', '"answer": "42"')],
  ["its spec was tampered with", async () => replaceIn(await named(".json"), /6,\s+7/, "6, 8")],
  ["a file is missing", async () => rm(await named(".onnx"))],
  ["a file is truncated", async () => writeFile(await named(".onnx"), bytes.subarray(0, 2))],
  ["a file has another byte", async () => writeFile(await named("key.safetensors"), Uint8Array.of(4, 6))],
])("a cell is computed again when %s, and whole after that", async (_, damage) => {
  await finishCell(folder, cell());
  await damage();
  expect((await finishCell(folder, cell())).computed).toBe(true);
  expect((await finishCell(folder, cell())).computed).toBe(false);
  expect(computed).toBe(2);
});

async function replaceIn(path: string, before: string | RegExp, after: string): Promise<void> {
  const text = await readFile(path, "utf8");
  expect(text).toMatch(before);
  await writeFile(path, text.replace(before, after));
}

test("a computation that fails leaves nothing", async () => {
  const failing = cell({ compute: () => Promise.reject(new Error("no")) });
  await expect(finishCell(folder, failing)).rejects.toThrow("no");
  expect(await readdir(folder)).toEqual([]);
  expect((await finishCell(folder, cell())).computed).toBe(true);
});

test("the hash is SHA-256 in hexadecimal, of text as of its bytes", () => {
  expect(sha256("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(sha256(Buffer.from("abc"))).toBe(sha256("abc"));
});

test("a cell that is stopped goes on with what it had recorded, and its checkpoint goes with its end", async () => {
  const record = { epoch: 0, seconds: 1 };
  const known: unknown[] = [];
  const work = cell({
    async compute(checkpoint) {
      const journal = checkpoint.journal();
      const { saved, keep } = checkpoint.training.next();
      known.push([...journal.known], saved?.state.steps);
      if (saved !== undefined) return { result: { answer: 42, seconds: 1 }, files: {} };
      journal.add(record);
      const state = { steps: 7, weights: new Map(), slots: new Map() };
      await keep(async () => ({ epochs: [], state, average: undefined, memory: [] }), false);
      throw new WildmarkError("interrupted", "Stopped.");
    },
  });
  await expect(finishCell(folder, work)).rejects.toMatchObject({ code: "interrupted" });
  expect((await readdir(folder)).map((file) => file.replace(/^a-cell-[0-9a-f]+/, ""))).toEqual([".training"]);
  await finishCell(folder, work);
  expect(known).toEqual([[], undefined, [record], 7]);
  expect((await readdir(folder)).map((file) => file.replace(/^a-cell-[0-9a-f]+/, ""))).toEqual([".json"]);
});
