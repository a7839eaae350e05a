/** @file A whole audit: its plan, its document, its going on where it was stopped, and cells that cannot or do not end well. */

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { encodeModel, modelSha256 } from "../onnx/model.js";
import { removalMethods } from "../removal/registry.js";
import { summariseAudit } from "../report/audit/summary.js";
import { type AuditOptions, audit, runAudit } from "./audit.js";
import { planAudit } from "./audit-plan.js";
import { type AuditResult, auditSchema } from "./audit-result.js";
import { type AuditChoices, auditSpec, packAudit, unpackAudit } from "./audit-spec.js";
import { compareAudit } from "./finished.js";
import { removeMark } from "../tasks/remove-mark.js";
import { contentsWithoutTimes, withoutTimes } from "./testing/folder.js";
import { tinyAudit } from "./testing/tiny-audit.js";

let work: string;
let choices: AuditChoices;
let whole: AuditResult;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "wildmark-audit-"));
  choices = await tinyAudit();
  whole = await audit(choices, at("whole"));
}, 60_000);
afterAll(() => rm(work, { recursive: true, force: true }));

const at = (name: string, more: Partial<AuditOptions> = {}): AuditOptions => ({ out: join(work, name), ...more });

describe("what is tried follows from the registry", () => {
  test("every method in each of its variants, controls last", () => {
    const { methods } = auditSpec({ ...choices, methods: removalMethods.map(({ id }) => id) });
    expect(methods.length).toBe(removalMethods.reduce((sum, { variants }) => sum + variants.length, 0));
    expect(new Set(methods.map(({ label }) => label)).size).toBe(methods.length);
    expect(methods.at(-1)?.ignoresModel).toBe(true);
    for (const { options } of methods) if ("epochs" in options) expect(options.epochs).toBe(2);
  });

  test("small budgets come first, and a spec passes to another thread and back", () => {
    const spec = auditSpec(choices);
    const { cells } = planAudit(spec);
    expect(cells.map(({ images }) => images)).toEqual([12, 12, 12, 60, 60, 60]);
    const there = unpackAudit(structuredClone(packAudit(spec)));
    expect(there).toMatchObject({ modelSha256: spec.modelSha256, keySha256: spec.keySha256, budgets: [0.05, 0.25] });
    expect(planAudit(there).cells).toEqual(cells);
  });

  test.each([[0], [-0.1], [1.5], [Number.NaN]])("a budget of %d is refused", (budget) => {
    expect(() => auditSpec({ ...choices, budgets: [0.1, budget] })).toThrow(/above 0 and at most 1/);
  });

  test("an attack is needed: a control alone is none", () => {
    expect(() => auditSpec({ ...choices, methods: ["scratch"] })).toThrow(/at least one attack/);
  });
});

describe("the document", () => {
  test("is valid, survives JSON and knows its spec", () => {
    expect(auditSchema.parse(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
    const spec = auditSpec(choices);
    const level = { alpha: 0.05 };
    expect(compareAudit(whole, spec, level)).toBe("same");
    expect(compareAudit(whole, { ...spec, seeds: [0, 1] }, level)).toBe("another");
    const { reactivation: _, ...notFollowed } = spec;
    expect(compareAudit(whole, notFollowed, level)).toBe("another");
    expect(compareAudit(whole, spec, { alpha: 0.01 })).toBe("another");
    expect(compareAudit(whole, { ...spec, keySha256: "0" }, level)).toBe("other");
  });

  test("an attack that the document does not list is refused", () => {
    const [first] = whole.cells;
    expect(auditSchema.safeParse({ ...whole, cells: [{ ...first, attack: 99 }] }).success).toBe(false);
  });

  test("holds every attack with every budget, from the marked model on", () => {
    expect(whole.before.verdict.owned).toBe(true);
    expect(whole.key.madeForThisModel).toBe(true);
    expect(whole.cells.map(({ attack, fraction, status }) => `${attack} ${fraction} ${status}`)).toEqual(
      [0, 1, 2].flatMap((attack) => [0.05, 0.25].map((fraction) => `${attack} ${fraction} done`)),
    );
    for (const cell of whole.cells) {
      if (cell.status === "done") expect(cell.epochs[0]?.measured).toEqual(whole.before.measured);
    }
  });

  test("a cell is what remove with the same options gives", async () => {
    const spec = auditSpec(choices);
    const [method] = spec.methods;
    if (method === undefined) throw new Error("no method");
    const run = { runtime: { threads: 1 } };
    const cleaned = await removeMark({ ...spec, method, fraction: 0.25, seed: 0 }, run);
    const cell = whole.cells.find(({ attack, fraction }) => attack === 0 && fraction === 0.25);
    expect(cell).toMatchObject({
      modelSha256: modelSha256(encodeModel(cleaned.model)),
      verdict: cleaned.mark?.verdict,
    });
  });

  test("every removal is followed up by re-activation, which leaves the cleaned model as it was", async () => {
    expect(whole.reactivation).toEqual({ steps: 200, batch: 64, learningRate: 0.01 });
    for (const cell of whole.cells) {
      if (cell.status !== "done") throw new Error(cell.reason);
      expect(cell.reactivated?.verdict.n).toBe(cell.verdict.n);
      expect(cell.reactivated?.measured).not.toEqual(cell.measured);
    }
    const without = await audit({ ...choices, budgets: [0.25], reactivation: false }, at("not-followed"));
    const [cell] = without.cells;
    const same = whole.cells.find(({ attack, fraction }) => attack === cell?.attack && fraction === 0.25);
    if (cell?.status !== "done" || same?.status !== "done") throw new Error("not done");
    expect(cell.reactivated).toBeUndefined();
    expect(cell.modelSha256).toBe(same.modelSha256);
  });
});

/** Others are about how the model is read. */
const isOfCell = (note: string): boolean => !/^(note|warning): /.test(note);

test("judging at another level computes nothing again", async () => {
  const notes: string[] = [];
  const progress = { update: () => {}, note: (line: string) => void notes.push(line) };
  const strict = await audit(choices, at("whole", { alpha: 1e-6, progress, force: true }));
  expect(notes.filter(isOfCell).every((note) => note.includes("found finished"))).toBe(true);
  for (const cell of strict.cells) {
    if (cell.status !== "done") throw new Error(cell.reason);
    expect(cell.verdict.owned).toBe(cell.verdict.pValue <= 1e-6);
  }
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
  const stopped = audit(choices, at("stopped", { signal: stop.signal, progress }));
  await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
  const kept = (await readdir(join(work, "stopped", "cells"))).length;
  expect(kept).toBeGreaterThanOrEqual(2);
  expect(kept).toBeLessThan(6);
  const resumed = await audit(choices, at("stopped"));
  expect(withoutTimes(resumed)).toEqual(withoutTimes(whole));
  expect(await contentsWithoutTimes(join(work, "stopped"))).toEqual(await contentsWithoutTimes(join(work, "whole")));
});

test("too little data for every class skips those cells alone", async () => {
  const result = await audit({ ...choices, budgets: [0.01, 0.25] }, at("skips"));
  expect(result.cells.filter(({ fraction }) => fraction === 0.25).every(({ status }) => status === "done")).toBe(true);
  for (const cell of result.cells.filter(({ fraction }) => fraction === 0.01)) {
    expect(cell).toMatchObject({ status: "skipped", reason: expect.stringMatching(/leaves class \d empty/) });
  }
});

test("a method that fails is reported, the others go on, and the next run tries it again", async () => {
  const spec = auditSpec(choices);
  let fails = true;
  const methods = spec.methods.map((method, i) => ({
    ...method,
    run: (attack: Parameters<typeof method.run>[0]) => {
      if (i === 0 && fails) throw new WildmarkError("numeric", "the loss is NaN");
      return method.run(attack);
    },
  }));
  const failed = await runAudit({ ...spec, methods }, at("fails"));
  expect(failed.cells.map(({ status }) => status)).toEqual(["failed", "failed", "done", "done", "done", "done"]);
  expect(failed.cells[0]).toMatchObject({ reason: "the loss is NaN" });
  fails = false;
  const again = await runAudit({ ...spec, methods }, at("fails"));
  expect(withoutTimes(again)).toEqual(withoutTimes(whole));
});

test.each([
  ["bad-model", { status: "skipped" }],
  ["unsupported-operator", { status: "skipped" }],
  ["numeric", { status: "failed", mayPass: false }],
  ["runtime", { status: "failed", mayPass: true }],
] as const)("what fails of %s is promised another try only where that may help", async (code, expected) => {
  const spec = auditSpec({ ...choices, controls: false, budgets: [0.05] });
  const methods = spec.methods.slice(0, 1).map((method) => ({
    ...method,
    run: () => {
      throw new WildmarkError(code, "it cannot be");
    },
  }));
  const result = await runAudit({ ...spec, methods }, at(`fails of ${code}`));
  expect(result.cells[0]).toMatchObject({ ...expected, reason: "it cannot be" });
  const promises = summariseAudit(result).next.some((text) => /tries only those again/.test(text));
  expect(promises).toBe(code === "runtime");
});

describe("nothing to audit", () => {
  test("a mark that is not shown ends at once, unless forced", async () => {
    const { scratch } = {
      scratch: removalMethods.find(({ ignoresModel }) => ignoresModel === true)?.choose({ epochs: 1 }),
    };
    if (scratch === undefined) throw new Error("no control");
    const fresh = await removeMark({ ...auditSpec(choices), method: scratch, fraction: 0.25, seed: 0 });
    const innocent = { ...choices, model: fresh.model, budgets: [0.05] };
    await expect(audit(innocent, at("innocent"))).rejects.toMatchObject({
      code: "bad-key",
      message: /Nothing to audit/,
    });
    await expect(readdir(join(work, "innocent"))).rejects.toThrow();
    const forced = await audit(innocent, at("innocent", { force: true }));
    expect(forced.before.verdict.owned).toBe(false);
    expect(forced.key.madeForThisModel).toBe(false);
  });
});
