/** @file A whole experiment: its document, its repetition, and its going on where it was stopped. */

import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nestedSubset } from "../data/subset.js";
import { decodeModel, modelSha256 } from "../onnx/model.js";
import { keySha256, readKey } from "../ownership/key.js";
import { findMethod } from "../removal/registry.js";
import { isResultOf } from "./finished.js";
import { type ReproduceOptions, type ReproduceSpec, reproduce } from "./reproduce.js";
import { type Result, resultSchema } from "./result.js";
import { contentsWithoutTimes, withoutTimes } from "./testing/folder.js";
import { tinyDataset, tinySpec } from "./testing/tiny.js";

let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "wildmark-reproduce-"));
});
afterAll(() => rm(work, { recursive: true, force: true }));

/** Runs the spec in a folder of the test's, and gathers what the progress says. */
async function run(
  name: string,
  spec: ReproduceSpec,
  more: Partial<ReproduceOptions> = {},
): Promise<{ readonly result: Result; readonly notes: readonly string[] }> {
  const notes: string[] = [];
  const progress = { update: () => {}, note: (line: string) => void notes.push(line) };
  const result = await reproduce(spec, { out: join(work, name), command: "wildmark reproduce", progress, ...more });
  return { result, notes };
}

const twoSeeds = tinySpec({ seeds: [0, 5] });
let first: Awaited<ReturnType<typeof run>>;
beforeAll(async () => {
  first = await run("first", twoSeeds);
}, 60_000);

describe("the document", () => {
  test("is valid, survives JSON, and is recognised as the result of its spec", () => {
    const { result } = first;
    expect(resultSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
    expect(isResultOf(result, twoSeeds)).toBe(true);
    expect(isResultOf(result, twoSeeds, { device: "webgpu" })).toBe(false);
    expect(isResultOf(result, twoSeeds, { autotuning: "cached" })).toBe(false);
    const { tuning: _, ...machine } = result.machine;
    expect(isResultOf(resultSchema.parse({ ...result, machine }), twoSeeds)).toBe(true);
  });

  test("is not taken for the result of another spec", () => {
    const others: Partial<ReproduceSpec>[] = [
      { seeds: [0] },
      { fraction: 0.5 },
      { removals: twoSeeds.removals.slice(0, 1) },
      { marks: twoSeeds.marks.slice(0, 1) },
      { training: { ...twoSeeds.training, epochs: 3 } },
      { dataset: { ...tinyDataset, sha256: "0".repeat(64) } },
      { removals: [findMethod("wild").choose({ epochs: 2, batch: 16, lambda: 2 }), ...twoSeeds.removals.slice(1)] },
    ];
    for (const other of others) expect(isResultOf(first.result, { ...twoSeeds, ...other })).toBe(false);
  });

  test("holds every cell of every seed, in order", () => {
    const { result } = first;
    const removals = twoSeeds.removals.map(({ label }) => label);
    expect(result.unmarked.map(({ seed }) => seed)).toEqual([0, 5]);
    expect(result.marked.map(({ mark, seed }) => `${mark} ${seed}`)).toEqual(
      [0, 5].flatMap((seed) => ["content", "unrelated"].map((mark) => `${mark} ${seed}`)),
    );
    expect(result.removals.map(({ mark, seed, title }) => `${mark} ${seed} ${title}`)).toEqual(
      [0, 5].flatMap((seed) =>
        ["content", "unrelated"].flatMap((mark) => removals.map((label) => `${mark} ${seed} ${label}`)),
      ),
    );
  });

  test("a removal starts from the marked model and ends with what was measured last", () => {
    const { result } = first;
    for (const { mark, seed, epochs, measured, verdict, options } of result.removals) {
      const owner = result.marked.find((each) => each.mark === mark && each.seed === seed);
      expect(epochs[0]).toEqual({ epoch: 0, seconds: 0, measured: owner?.measured });
      expect(epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: epochs.length }, (_, i) => i));
      expect(epochs.length).toBe(1 + Number(options.epochs));
      expect(epochs.at(-1)?.measured).toEqual(measured);
      expect(verdict.retention).toBe(measured.retention);
    }
  });

  test("shows pictures: originals for the stamped mark, none for the unrelated one", () => {
    for (const { mark, pictures, triggers, heldOutTriggers } of first.result.marked) {
      expect([triggers, heldOutTriggers]).toEqual([8, 4]);
      expect(pictures.length).toBe(6);
      for (const { trigger, original, erased, sourceLabel, label } of pictures) {
        for (const uri of [trigger, erased]) expect(uri).toMatch(/^data:image\/png;base64,/);
        expect(erased).not.toBe(trigger);
        expect(label).toBe(6);
        expect(original === undefined).toBe(mark === "unrelated");
        expect(sourceLabel).toBe(mark === "unrelated" ? undefined : 4);
      }
    }
  });

  test("its hashes are those of the models and keys on disk, and each key names its model", async () => {
    const cells = join(work, "first", "cells");
    const names = await readdir(cells);
    const models = new Set<string>();
    for (const name of names.filter((each) => each.endsWith(".onnx"))) {
      const bytes = await readFile(join(cells, name));
      decodeModel(bytes, name);
      models.add(modelSha256(bytes));
    }
    const { result } = first;
    for (const { modelSha256: hash } of [...result.unmarked, ...result.marked, ...result.removals]) {
      expect(models).toContain(hash);
    }
    const keys = await Promise.all(
      names.filter((each) => each.endsWith(".key.safetensors")).map((name) => readKey(join(cells, name))),
    );
    expect(keys.map(keySha256).sort()).toEqual(result.marked.map((marked) => marked.keySha256).sort());
    expect(keys.map((key) => key.modelSha256).sort()).toEqual(result.marked.map((marked) => marked.modelSha256).sort());
  });

  test.skipIf(process.platform === "win32")("its keys are for their owner only", async () => {
    const cells = join(work, "first", "cells");
    const keys = (await readdir(cells)).filter((name) => name.endsWith(".key.safetensors"));
    for (const name of keys) expect((await stat(join(cells, name))).mode & 0o777).toBe(0o600);
    expect(keys.length).toBe(4);
  });

  test("the attacker's images are kept with it", async () => {
    const saved: unknown = JSON.parse(await readFile(join(work, "first", "subsets.json"), "utf8"));
    const { train, sha256 } = { train: tinyDataset.train, sha256: tinyDataset.sha256 };
    const indices = (seed: number): number[] => [...nestedSubset(train.labels, train.classes, 0.25, seed)];
    expect(saved).toEqual({
      dataset: sha256,
      subsets: [0, 5].map((seed) => ({ seed, fraction: 0.25, indices: indices(seed) })),
    });
    expect(first.result.attacker).toEqual({ fraction: 0.25, images: 60 });
  });

  test("nothing half-written lies beside the cells", async () => {
    const names = await readdir(join(work, "first", "cells"));
    expect(names.filter((name) => !/\.(json|onnx|safetensors)$/.test(name))).toEqual([]);
    // 18 results; a model for each but the 4 innocents; a key for each of the 4 marked models.
    expect(names.length).toBe(18 + 14 + 4);
  });
});

test("run again in the same folder it computes nothing and gives the same document", async () => {
  const before = await contentsWithoutTimes(join(work, "first"));
  const again = await run("first", twoSeeds);
  expect(again.notes.length).toBe(18);
  for (const note of again.notes) expect(note).toMatch(/\(found finished\)$/);
  // Here even the times of the cells are the same: they are read back.
  const { started: _, finished: __, seconds: ___, ...document } = again.result;
  expect(first.result).toMatchObject(document);
  expect(await contentsWithoutTimes(join(work, "first"))).toEqual(before);
});

test("run in another folder it gives the same bytes of models, keys and results, times apart", async () => {
  const other = await run("other", twoSeeds);
  // As text: the order of the entries is part of a file's bytes.
  expect(JSON.stringify(withoutTimes(other.result))).toBe(JSON.stringify(withoutTimes(first.result)));
  expect(await contentsWithoutTimes(join(work, "other"))).toEqual(await contentsWithoutTimes(join(work, "first")));
  for (const note of other.notes) expect(note).not.toMatch(/found finished/);
});

test("a seed's cells do not depend on which other seeds are run", async () => {
  const { result } = await run("alone", tinySpec({ seeds: [5] }));
  expect(withoutTimes(result.removals)).toEqual(withoutTimes(first.result.removals.filter(({ seed }) => seed === 5)));
});

test.each([0, 1, 3, 5])(
  "stopped after %i cells and run again, it ends as if it had never been stopped",
  async (cells) => {
    const spec = tinySpec();
    const name = `stopped-${cells}`;
    const controller = new AbortController();
    let finished = 0;
    let steps = 0;
    const progress = {
      note: () => {
        finished += 1;
      },
      // In the middle of the cell after those.
      update: () => {
        if (finished === cells && ++steps === 2) controller.abort();
      },
    };
    await expect(run(name, spec, { progress, signal: controller.signal })).rejects.toMatchObject({
      code: "interrupted",
    });
    expect(finished).toBe(cells);

    const resumed = await run(name, spec);
    const again = await run(name, spec);
    expect(JSON.stringify(withoutTimes(again.result))).toBe(JSON.stringify(withoutTimes(resumed.result)));
    expect(resumed.notes.filter((note) => note.endsWith("(found finished)")).length).toBe(cells);
    expect(withoutTimes(resumed.result.removals)).toEqual(
      withoutTimes(first.result.removals.filter(({ seed }) => seed === 0)),
    );
    const whole = await contentsWithoutTimes(join(work, "first", "cells"));
    const ofSeed0 = Object.fromEntries(Object.entries(whole).filter(([file]) => file.includes("seed0")));
    expect(await contentsWithoutTimes(join(work, name, "cells"))).toEqual(ofSeed0);
  },
);

test("a fraction that leaves a class empty ends before anything is trained or written", async () => {
  await expect(run("too-little", tinySpec({ fraction: 0.01 }))).rejects.toMatchObject({ code: "bad-data" });
  expect(await readdir(join(work, "too-little")).catch(() => [])).toEqual([]);
});
