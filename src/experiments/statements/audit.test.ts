/** @file An audit: what it tries, what it says of the marked model, and where there is nothing to audit. */

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AuditCall, audit } from "../../api.js";
import { encodeModel, type Model, modelSha256 } from "../../onnx/model.js";
import { removalMethods } from "../../removal/registry.js";
import { removeMark } from "../../tasks/remove-mark.js";
import { type DoneAttack, type ExperimentDocument, experimentSchema } from "../document.js";
import { compareDocument } from "../documents.js";
import { inBrief } from "../judgement.js";
import { packSpec, unpackSpec } from "../packed.js";
import { planCells } from "../plan.js";
import { contentsWithoutTimes, withoutTimes } from "../testing/folder.js";
import { tinyArchitecture } from "../testing/tiny.js";
import { tinyAudit } from "../testing/tiny-audit.js";
import { auditSpec } from "./audit.js";

let work: string;
let choices: AuditCall;
let whole: ExperimentDocument;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "wildmark-audit-"));
  choices = await tinyAudit();
  whole = await run("whole");
}, 60_000);
afterAll(() => rm(work, { recursive: true, force: true }));

const run = (
  name: string,
  more: Omit<Partial<AuditCall>, "model" | "key" | "dataset"> & { readonly model?: Model } = {},
) => audit({ ...choices, out: join(work, name), ...more });

const done = ({ attacks }: ExperimentDocument): readonly DoneAttack[] =>
  attacks.map((cell) => {
    if (cell.status !== "done") throw new Error(`${cell.status} where it should be done`);
    return cell;
  });

const markedIn = ({ marked: [first] }: ExperimentDocument) => {
  if (first?.status !== "done") throw new Error("the marked model was not asked");
  return first;
};

describe("what is tried follows from the registry", () => {
  test("every method in each of its variants, those that ignore the model last", () => {
    const { removers } = auditSpec({ ...choices, methods: removalMethods.map(({ id }) => id) });
    expect(removers.length).toBe(removalMethods.reduce((sum, { variants }) => sum + variants.length, 0));
    expect(new Set(removers.map(({ name }) => name)).size).toBe(removers.length);
    expect(removers.at(-1)?.chosen.ignoresModel).toBe(true);
    for (const { chosen } of removers) if ("epochs" in chosen.options) expect(chosen.options.epochs).toBe(2);
  });

  test("small budgets come first, and a spec passes to another process and back", () => {
    const spec = auditSpec(choices);
    const plan = planCells(spec);
    const budgets = plan.cells.flatMap(({ address }) => (address.kind === "attack" ? [address.budget] : []));
    expect(budgets).toEqual([0, 0, 0, 1, 1, 1]);
    const there = unpackSpec(structuredClone(packSpec(spec)));
    expect(there).toMatchObject({ budgets: [0.05, 0.25], title: spec.title });
    expect(planCells(there)).toEqual(plan);
  });

  test.each([[0], [-0.1], [1.5], [Number.NaN]])("a budget of %d is refused", (budget) => {
    expect(() => auditSpec({ ...choices, budgets: [0.1, budget] })).toThrow(/above 0 and at most 1/);
  });

  test("an attack is needed: a yardstick alone is none", () => {
    expect(() => auditSpec({ ...choices, methods: ["scratch"] })).toThrow(/at least one attack/);
  });
});

describe("the document", () => {
  test("is valid, survives JSON and knows its spec", () => {
    expect(experimentSchema.parse(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
    const spec = auditSpec(choices);
    expect(compareDocument(whole, spec)).toBe("same");
    expect(compareDocument(whole, auditSpec({ ...choices, seeds: [0, 1] }))).toBe("another");
    expect(compareDocument(whole, auditSpec({ ...choices, reactivation: false }))).toBe("another");
    expect(compareDocument(whole, auditSpec({ ...choices, alpha: 0.01 }))).toBe("another");
    const subjects = spec.subjects.map((subject) => ({ ...subject, keySha256: "0" }));
    expect(compareDocument(whole, { ...spec, subjects })).toBe("other");
  });

  test("a remover that the document does not list is refused", () => {
    const [first] = whole.attacks;
    expect(experimentSchema.safeParse({ ...whole, attacks: [{ ...first, remover: 99 }] }).success).toBe(false);
  });

  test("holds every attack with every budget, from the marked model on; no picture of the owner's secret", () => {
    expect(markedIn(whole)).toMatchObject({ verdict: { owned: true }, pictures: [] });
    expect(whole.subjects).toMatchObject([{ kind: "given", key: { madeForThisModel: true } }]);
    expect(done(whole).map(({ remover, fraction }) => `${remover} ${fraction}`)).toEqual(
      [0, 1, 2].flatMap((remover) => [0.05, 0.25].map((fraction) => `${remover} ${fraction}`)),
    );
    for (const { curve } of done(whole)) expect(curve?.[0]?.measured).toEqual(markedIn(whole).measured);
  });

  test("a cell is what remove with the same options gives", async () => {
    const { removers, dataset } = auditSpec(choices);
    const [remover] = removers;
    if (remover === undefined) throw new Error("no method");
    const { model, key } = choices;
    const removal = { model, key, dataset, method: remover.chosen, fraction: 0.25, seed: 0 };
    const cleaned = await removeMark(removal, { runtime: { threads: 1 } });
    expect(done(whole).find((cell) => cell.remover === 0 && cell.fraction === 0.25)).toMatchObject({
      modelSha256: modelSha256(encodeModel(cleaned.model)),
      judgement: inBrief(cleaned.mark.verdict),
    });
  });

  test("every removal is followed up by re-activation, which leaves the cleaned model as it was", async () => {
    expect(whole.observe.reactivation).toEqual({ steps: 200, batch: 64, learningRate: 0.01 });
    for (const { reactivated, judgement, measured } of done(whole)) {
      expect(reactivated?.judgement.n).toBe(judgement.n);
      expect(reactivated?.measured).not.toEqual(measured);
    }
    const [cell] = done(await run("not-followed", { budgets: [0.25], reactivation: false }));
    const same = done(whole).find(({ remover, fraction }) => remover === cell?.remover && fraction === 0.25);
    expect(cell?.reactivated).toBeUndefined();
    expect(cell?.modelSha256).toBe(same?.modelSha256);
  });
});

/** Others are about how the model is read. */
const isOfCell = (note: string): boolean => !/^(note|warning): /.test(note);

test("judging at another level computes nothing again", async () => {
  const notes: string[] = [];
  const progress = { update: () => {}, note: (line: string) => void notes.push(line) };
  const strict = await run("whole", { alpha: 1e-6, progress, force: true });
  expect(notes.filter(isOfCell).every((note) => note.includes("found finished"))).toBe(true);
  for (const { judgement } of done(strict)) expect(judgement.owned).toBe(judgement.pValue <= 1e-6);
  await run("whole");
});

test("stopped after two cells and run again, it ends as if it had never been stopped", async () => {
  const stop = new AbortController();
  let cells = 0;
  const progress = {
    update: () => {},
    note: (line: string) => {
      if (isOfCell(line)) cells += 1;
      if (cells === 2) stop.abort();
    },
  };
  await expect(run("stopped", { signal: stop.signal, progress })).rejects.toMatchObject({ code: "interrupted" });
  const kept = (await readdir(join(work, "stopped", "cells"))).length;
  expect(kept).toBeGreaterThanOrEqual(2);
  expect(kept).toBeLessThan(7);
  expect(withoutTimes(await run("stopped"))).toEqual(withoutTimes(whole));
  expect(await contentsWithoutTimes(join(work, "stopped"))).toEqual(await contentsWithoutTimes(join(work, "whole")));
});

test("with null models the key is held against them, and they can decide", async () => {
  const document = await run("null-models", {
    nullModels: 19,
    architecture: tinyArchitecture,
    epochs: 1,
    methods: ["wild"],
    baselines: false,
  });
  expect(document.nullModels.length).toBe(19);
  expect(document.empiricalNull).toBe(true);
  expect(markedIn(document).onNullModels.length).toBe(19);
  const { verdict, onNullModels, measured } = markedIn(document);
  const asGood = onNullModels.filter(({ retention }) => retention >= measured.retention).length;
  const ranked = verdict.tests.find(({ id }) => id === "empirical-null" || id === "null-models");
  expect(ranked?.pValue).toBeCloseTo((1 + asGood) / 20, 12);
});

describe("nothing to audit", () => {
  test("a mark that is not shown ends at once, unless forced", async () => {
    const scratch = removalMethods.find(({ ignoresModel }) => ignoresModel === true)?.choose({ epochs: 1 });
    if (scratch === undefined) throw new Error("no yardstick");
    const { model, dataset } = choices;
    const fresh = await removeMark({ model, dataset, method: scratch, fraction: 0.25, seed: 0 });
    const bare = { model: fresh.model, budgets: [0.05] };
    await expect(run("bare", bare)).rejects.toMatchObject({ code: "bad-key", message: /Nothing to audit/ });
    const forced = await run("bare", { ...bare, force: true });
    expect(markedIn(forced).verdict.owned).toBe(false);
    expect(forced.subjects).toMatchObject([{ key: { madeForThisModel: false } }]);
  });
});
