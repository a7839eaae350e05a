/** @file A whole experiment: its document, its repetition, and its going on where it was stopped. */

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { nestedSubset } from "../data/subset.js";
import { findArchitecture } from "../models/registry.js";
import { decodeModel, encodeModel, modelSha256 } from "../onnx/model.js";
import { keySha256, readKey } from "../ownership/key-file.js";
import { findMethod } from "../removal/registry.js";
import { removeMark } from "../tasks/remove-mark.js";
import { type DoneAttack, type DoneMarked, type ExperimentDocument, experimentSchema } from "./document.js";
import { compareDocument } from "./documents.js";
import { readExperiment } from "./folder.js";
import { documentOf, type ExperimentOptions, runExperiment } from "./run.js";
import type { ExperimentSpec } from "./spec.js";
import { givenSubject } from "./statements/given.js";
import { contentsWithoutTimes, withoutTimes } from "./testing/folder.js";
import { tinyDataset, tinySpec } from "./testing/tiny.js";

let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "wildmark-experiment-"));
});
afterAll(() => rm(work, { recursive: true, force: true }));

/** Runs the spec in a folder of the test's, and gathers what the progress says. */
async function run(name: string, spec: ExperimentSpec, more: Partial<ExperimentOptions> = {}) {
  const notes: string[] = [];
  const progress = { update: () => {}, note: (line: string) => void notes.push(line) };
  const options = { out: join(work, name), command: "wildmark reproduce", progress, ...more };
  return { document: await runExperiment(spec, options), notes };
}

const marked = ({ marked: all }: ExperimentDocument): readonly DoneMarked[] =>
  all.flatMap((cell) => (cell.status === "done" ? [cell] : []));
const attacks = ({ attacks: all }: ExperimentDocument): readonly DoneAttack[] =>
  all.flatMap((cell) => (cell.status === "done" ? [cell] : []));

const twoSeeds = tinySpec({ seeds: [0, 5] });
/** 2 null models; for each of 2 marks and 2 seeds a marked model, its key's check and 2 attacks. */
const CELLS = 2 + 2 * 2 * (1 + 1 + 2);
let first: Awaited<ReturnType<typeof run>>;
beforeAll(async () => {
  first = await run("first", twoSeeds);
}, 60_000);

describe("the document", () => {
  test("is valid, survives JSON, and is recognised as that of its spec", () => {
    const { document } = first;
    expect(experimentSchema.parse(JSON.parse(JSON.stringify(document)))).toEqual(document);
    expect(document.complete).toBe(true);
    expect(compareDocument(document, twoSeeds)).toBe("same");
    expect(compareDocument(document, twoSeeds, { device: "webgpu" })).toBe("another");
    expect(compareDocument(document, twoSeeds, { autotuning: "cached" })).toBe("another");
    const { tuning: _, ...machine } = document.machine;
    expect(compareDocument(experimentSchema.parse({ ...document, machine }), twoSeeds)).toBe("same");
  });

  test("is not taken for that of another spec", () => {
    const [wild, ...rest] = twoSeeds.removers;
    const stronger = findMethod("wild").choose({ epochs: 2, batch: 16, lambda: 2 });
    const changes: Partial<ExperimentSpec>[] = [
      { seeds: [0] },
      { nullModels: [0] },
      { budgets: [0.5] },
      { removers: rest },
      { subjects: twoSeeds.subjects.slice(0, 1) },
      { training: { ...twoSeeds.training, epochs: 3 } },
      { removers: [{ name: wild?.name ?? "", chosen: stronger }, ...rest] },
      { decision: { alpha: 0.01, acceptableDrop: 0.02 } },
      { observe: { ...twoSeeds.observe, everyEpoch: false } },
    ];
    for (const change of changes) expect(compareDocument(first.document, { ...twoSeeds, ...change })).toBe("another");
    const others: Partial<ExperimentSpec>[] = [
      { dataset: { ...tinyDataset, sha256: "0".repeat(64) } },
      { statement: "bench" },
      { architecture: { ...twoSeeds.architecture, id: "other" } },
    ];
    for (const change of others) expect(compareDocument(first.document, { ...twoSeeds, ...change })).toBe("other");
  });

  test("holds every cell of every seed, in order", () => {
    const { document } = first;
    expect(document.nullModels.map(({ seed }) => seed)).toEqual([0, 5]);
    expect(document.marked.map(({ subject, seed }) => [subject, seed])).toEqual(
      [0, 1].flatMap((subject) => [0, 5].map((seed) => [subject, seed])),
    );
    expect(document.attacks.map(({ subject, remover, seed }) => [subject, remover, seed])).toEqual(
      [0, 1].flatMap((subject) => [0, 1].flatMap((remover) => [0, 5].map((seed) => [subject, remover, seed]))),
    );
  });

  test("an attack starts from the marked model and ends with what was measured last", () => {
    for (const { subject, seed, curve = [], epochs, measured, judgement } of attacks(first.document)) {
      const owner = marked(first.document).find((each) => each.subject === subject && each.seed === seed);
      expect(curve[0]).toEqual({ epoch: 0, seconds: 0, measured: owner?.measured });
      expect(curve.map(({ epoch }) => epoch)).toEqual(Array.from({ length: epochs + 1 }, (_, i) => i));
      expect(curve.at(-1)?.measured).toEqual(measured);
      expect(judgement.matches / judgement.n).toBe(measured.retention);
    }
  });

  test("every key is tried on every null model, and judged there by its own tests", () => {
    for (const { onNullModels } of marked(first.document)) {
      expect(onNullModels.map(({ seed }) => seed)).toEqual([0, 5]);
      for (const { judgement, retention } of onNullModels) {
        expect((judgement?.matches ?? 0) / (judgement?.n ?? 1)).toBe(retention);
        expect(judgement?.tests.length).toBeGreaterThan(1);
      }
    }
  });

  test("shows pictures: originals for the stamped mark, none for the unrelated one", () => {
    for (const { subject, pictures, triggers, heldOutTriggers } of marked(first.document)) {
      expect([triggers, heldOutTriggers]).toEqual([8, 4]);
      expect(pictures.length).toBe(6);
      for (const { trigger, original, erased, sourceLabel, label } of pictures) {
        for (const uri of [trigger, erased]) expect(uri).toMatch(/^data:image\/png;base64,/);
        expect(erased).not.toBe(trigger);
        expect(label).toBe(6);
        expect(original === undefined).toBe(subject === 1);
        expect(sourceLabel).toBe(subject === 1 ? undefined : 4);
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
    const nullModels = first.document.nullModels.flatMap((cell) => (cell.status === "done" ? [cell] : []));
    const all = [...nullModels, ...marked(first.document)];
    for (const { modelSha256: hash } of all) expect(models).toContain(hash);
    const keys = await Promise.all(
      names.filter((each) => each.endsWith(".key.safetensors")).map((name) => readKey(join(cells, name))),
    );
    const owners = marked(first.document);
    expect(keys.map(keySha256).sort()).toEqual(owners.map((each) => each.keySha256).sort());
    expect(keys.map((key) => key.modelSha256).sort()).toEqual(owners.map((each) => each.modelSha256).sort());
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
    for (const { images } of attacks(first.document)) expect(images).toEqual({ labelled: 60, unlabelled: 0 });
  });

  test("nothing half-written lies beside the cells", async () => {
    const names = await readdir(join(work, "first", "cells"));
    expect(names.filter((name) => !/\.(json|onnx|safetensors)$/.test(name))).toEqual([]);
    // A result each; models of 2 null models and 4 marked ones; 4 keys.
    expect(names.length).toBe(CELLS + 6 + 4);
  });
});

test("run again in the same folder it computes nothing and gives the same document", async () => {
  const before = await contentsWithoutTimes(join(work, "first"));
  const again = await run("first", twoSeeds);
  expect(again.notes.length).toBe(CELLS);
  for (const note of again.notes) expect(note).toMatch(/\(found finished\)$/);
  // Here even the times of the cells are the same: they are read back.
  const { started: _, finished: __, seconds: ___, ...document } = again.document;
  expect(first.document).toMatchObject(document);
  expect(await contentsWithoutTimes(join(work, "first"))).toEqual(before);
});

test("the folder alone tells the same: no data, nothing computed", async () => {
  const tiny = tinySpec();
  const spec = tinySpec({
    // Records are found by their ids: those of the registries.
    architecture: findArchitecture("lenet5"),
    training: { ...tiny.training, epochs: 1 },
    removers: tiny.removers.slice(1),
    budgets: [0.01, 0.25],
    observe: { everyEpoch: false, pictures: true, reactivation: { steps: 2, batch: 8, learningRate: 0.01 } },
  });
  const { document } = await run("known", spec);
  const out = join(work, "known");
  const known = await readExperiment(out);
  expect(withoutTimes(await documentOf(known, { out, command: "wildmark reproduce" }))).toEqual(withoutTimes(document));
  expect(compareDocument(document, known)).toBe("same");
  await writeFile(join(out, "experiment.json"), "{}");
  await expect(readExperiment(out)).rejects.toMatchObject({ code: "bad-file", message: /is damaged/ });
  await expect(readExperiment(work)).rejects.toMatchObject({ code: "bad-file", message: /holds no experiment/ });
});

test("run in another folder it gives the same bytes of models, keys and results, times apart", async () => {
  const other = await run("other", twoSeeds);
  // As text: the order of the entries is part of a file's bytes.
  expect(JSON.stringify(withoutTimes(other.document))).toBe(JSON.stringify(withoutTimes(first.document)));
  expect(await contentsWithoutTimes(join(work, "other"))).toEqual(await contentsWithoutTimes(join(work, "first")));
  for (const note of other.notes) expect(note).not.toMatch(/found finished/);
});

test("a seed's attacks do not depend on which other seeds are run", async () => {
  const { document } = await run("alone", tinySpec({ seeds: [5] }));
  const same = attacks(first.document).filter(({ seed }) => seed === 5);
  expect(withoutTimes(attacks(document))).toEqual(withoutTimes(same));
});

test.each([0, 1, 2, 4, 6])(
  "stopped after %i cells and run again, it ends as if it had never been stopped",
  async (cells) => {
    const spec = tinySpec({ nullModels: [0, 5] });
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

    const partly = await documentOf(spec, { out: join(work, name) });
    expect(partly.complete).toBe(false);
    const resumed = await run(name, spec);
    const again = await run(name, spec);
    expect(JSON.stringify(withoutTimes(again.document))).toBe(JSON.stringify(withoutTimes(resumed.document)));
    expect(resumed.notes.filter((note) => note.endsWith("(found finished)")).length).toBe(finished);
    expect(withoutTimes(attacks(resumed.document))).toEqual(
      withoutTimes(attacks(first.document).filter(({ seed }) => seed === 0)),
    );
    const whole = await contentsWithoutTimes(join(work, "first", "cells"));
    const isOf = (file: string): boolean => file.includes("seed0") || file.startsWith("unmarked-seed5");
    const ofSeed0 = Object.fromEntries(Object.entries(whole).filter(([file]) => isOf(file)));
    expect(await contentsWithoutTimes(join(work, name, "cells"))).toEqual(ofSeed0);
  },
);

test("shares that leave a class empty end before anything is trained or written", async () => {
  await expect(run("too-little", tinySpec({ budgets: [0.01] }))).rejects.toMatchObject({ code: "bad-data" });
  expect(await readdir(join(work, "too-little")).catch(() => [])).toEqual([]);
});

test("a share that leaves a class empty skips those cells alone", async () => {
  const { document, notes } = await run("skips", tinySpec({ budgets: [0.01, 0.25] }));
  expect(notes.some((note) => /^skipped: .*leaves class \d empty/.test(note))).toBe(true);
  for (const cell of document.attacks) {
    if (cell.fraction === 0.25) expect(cell.status).toBe("done");
    else expect(cell).toMatchObject({ status: "skipped", reason: expect.stringMatching(/leaves class \d empty/) });
  }
});

test("a shard computes its part, and the parts make the whole", async () => {
  const spec = tinySpec();
  const parts = [];
  for (const index of [1, 2]) parts.push(await run("shards", spec, { shard: { index, count: 2 } }));
  expect(parts.map(({ document }) => document.complete)).toEqual([false, true]);
  const { document } = await run("whole", spec);
  expect(withoutTimes(parts[1]?.document)).toEqual(withoutTimes(document));
});

/** The spec, with its first remover failing as long as it is told to. */
function withFailing(spec: ExperimentSpec, fails: () => WildmarkError | undefined): ExperimentSpec {
  const removers = spec.removers.map(({ name, chosen }, i) => ({
    name,
    chosen: {
      ...chosen,
      run: (attack: Parameters<typeof chosen.run>[0]) => {
        const error = i === 0 ? fails() : undefined;
        if (error !== undefined) throw error;
        return chosen.run(attack);
      },
    },
  }));
  return { ...spec, removers };
}

test("a method that fails is reported, the others go on, and the next run tries it again", async () => {
  const spec = tinySpec();
  let error: WildmarkError | undefined = new WildmarkError("runtime", "out of memory");
  const failing = withFailing(spec, () => error);
  const { document } = await run("fails", failing);
  expect(document.attacks.map(({ status }) => status)).toEqual(["failed", "done", "failed", "done"]);
  expect(document.attacks[0]).toMatchObject({ reason: "out of memory", mayPass: true });
  const later = await documentOf(failing, { out: join(work, "fails") });
  expect(later.attacks[0]).toMatchObject({ status: "failed", reason: "out of memory" });
  error = undefined;
  const again = await run("fails", failing);
  expect(withoutTimes(again.document)).toEqual(withoutTimes((await run("whole", spec)).document));
});

test.each([
  ["bad-model", { status: "skipped" }],
  ["unsupported-operator", { status: "skipped" }],
  ["numeric", { status: "failed", mayPass: false }],
  ["runtime", { status: "failed", mayPass: true }],
] as const)("what fails of %s is promised another try only where that may help", async (code, expected) => {
  const failing = withFailing(tinySpec(), () => new WildmarkError(code, "it cannot be"));
  const { document } = await run(`fails of ${code}`, failing);
  expect(document.attacks[0]).toMatchObject({ ...expected, reason: "it cannot be" });
});

describe("a given model beside made ones", () => {
  test("is attacked with every seed, and what is done to it is what remove does", async () => {
    const made = tinySpec();
    const [owner] = await readdir(join(work, "first", "cells")).then((names) =>
      names.filter((name) => /^marked-content-seed5.*\.onnx$/.test(name)),
    );
    const path = join(work, "first", "cells", owner ?? "");
    const model = decodeModel(await readFile(path), path);
    const keyPath = path.replace(/\.onnx$/, ".key.safetensors");
    const subject = givenSubject(model, await readKey(keyPath), { model: path, key: keyPath }, "ours");
    const spec: ExperimentSpec = { ...made, statement: "bench", subjects: [...made.subjects, subject], seeds: [0, 5] };
    const { document, notes } = await run("first", { ...spec, nullModels: [0, 5] });
    // The made ones are there already: only what is asked of the given one is computed.
    expect(notes.filter((note) => !note.endsWith("(found finished)")).length).toBe(1 + 1 + 2 * 2);
    const given = marked(document).filter(({ subject: position }) => position === 2);
    expect(given).toMatchObject([{ seed: null, epochs: [], modelSha256: subject.modelSha256 }]);
    const same = marked(document).find(({ subject: position, seed }) => position === 0 && seed === 5);
    expect(given[0]).toMatchObject({ measured: same?.measured, verdict: same?.verdict });
    const [wild] = spec.removers;
    if (wild === undefined) throw new Error("no remover");
    const cleaned = await removeMark({
      ...{ model, dataset: spec.dataset, method: wild.chosen, fraction: 0.25, seed: 5 },
    });
    const cell = attacks(document).find((each) => each.subject === 2 && each.remover === 0 && each.seed === 5);
    expect(cell?.modelSha256).toBe(modelSha256(encodeModel(cleaned.model)));
  });
});
