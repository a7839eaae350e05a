/** @file The judge's questions, on honest keys and on keys that were made to convict. */

import { beforeAll, describe, expect, test } from "vitest";
import type { Model } from "../onnx/model.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { findMark } from "../watermarks/registry.js";
import { type BaseData, drawTriggers } from "./draw-key.js";
import type { Key } from "./key.js";
import { checkKey, describeKeyCheck, type KeyCheck } from "./key-check.js";
import { makeKeyElsewhere } from "./key-elsewhere.js";
import { makeKey } from "./make-key.js";

const CLASSES = 8;
const like = { side: 20, classes: CLASSES };
const data: BaseData = { train: tinyImages(320, like), unrelated: tinyImages(80, { ...like, seed: 2 }) };
const secret = new Uint8Array(32).fill(3);

async function drawnKey(id: string, options: Readonly<Record<string, unknown>> = {}): Promise<Key> {
  const mark = findMark(id).choose({ triggers: 20, heldOut: 5, ...options });
  const drawn = await drawTriggers(mark, data, secret);
  return makeKey({ mark, set: drawn.set, seed: 3, modelSha256: "ab".repeat(32), drawn });
}

const finding = ({ findings }: KeyCheck, id: string) => findings.find((each) => each.id === id);

/** Two that know the task. */
let knowing: readonly { readonly name: string; readonly model: Model }[];
beforeAll(async () => {
  const models = [5, 6].map((seed) => learnt(tinyModel({ ...like, seed }), data.train, 3));
  knowing = (await Promise.all(models)).map((model, i) => ({ name: `null-${i}.onnx`, model }));
}, 120_000);

describe("a drawn key", () => {
  test("is sound; twenty triggers need a commitment", async () => {
    const key = await drawnKey("unrelated", { labels: "random" });
    const check = await checkKey(key, { base: data, nullModels: knowing, strangers: 3 });
    expect(check).toMatchObject({ sound: true, void: [], triggers: 20, distinct: 20 });
    expect(check.findings.map(({ id, good }) => [id, good])).toEqual([
      ["provenance", true],
      ["regenerable", true],
      ["distinct", true],
      ["labels", true],
      ["null-models", true],
      ["strangers", true],
    ]);
    expect(finding(check, "labels")?.text).toContain("all 8 classes");
    // Two null models of twenty answers each allow an innocent rate of a half; 2^64 secrets then cost all there is.
    expect(check.committed.pValue).toBeLessThan(1e-5);
    expect(check.committed.needs).toEqual([]);
    expect(check.uncommitted).toEqual({ pValue: 1, matchesNeeded: null, needs: [] });
    expect(check.nullModels.map(({ convicted }) => convicted)).toEqual([false, false]);
  });

  test("with enough triggers needs no commitment, and says how many matches suffice", async () => {
    const mark = findMark("content").choose({ triggers: 100, heldOut: 5 });
    const drawn = await drawTriggers(mark, data, secret);
    const key = makeKey({ mark, set: drawn.set, seed: 3, modelSha256: "ab".repeat(32), drawn });
    const check = await checkKey(key);
    // P(Binomial(100, 1/7) >= 23) = 0.0155, >= 21 = 0.049; the placebo control is far from deciding.
    expect(check.committed.matchesNeeded).toBe(21);
    expect(check.uncommitted.matchesNeeded).toBeGreaterThan(50);
    expect(check.uncommitted.pValue).toBeLessThan(1e-6);
    expect(finding(check, "regenerable")).toMatchObject({ good: null });
    const text = describeKeyCheck(check).join("\n");
    expect(text).toMatch(/^Sound: /);
    expect(text).toContain("21 of 100 matches suffice for 0.05");
    expect(text).toContain("not tested: give null models");
  });

  test("that says other things than its secret gives is void; other data are refused", async () => {
    const honest = await drawnKey("margin-based");
    if (honest.drawn === undefined) throw new Error("not drawn");
    const lie: Key = { ...honest, drawn: { ...honest.drawn, labelling: "fixed", exchangeable: false } };
    const check = await checkKey(lie, { base: data });
    expect(check.sound).toBe(false);
    expect(check.void).toContain("it cannot be made again from its secret and the data");
    expect(finding(check, "regenerable")?.text).toContain("way of drawing labels");
    const other = { ...data, train: tinyImages(320, { ...like, seed: 1 }) };
    await expect(checkKey(honest, { base: other })).rejects.toMatchObject({ code: "bad-data" });
  });

  test("with one target for all needs strangers' keys and to be made again, and says so", async () => {
    const check = await checkKey(await drawnKey("content", { labels: "target" }), { base: data });
    expect(finding(check, "labels")?.good).toBe(false);
    expect(check.committed).toMatchObject({ pValue: 0.05 });
    expect(check.committed.needs.join()).toMatch(/made again.*strangers/);
  });
});

describe("a key that was made to convict", () => {
  const natural = tinyImages(40, { ...like, seed: 9 });

  test("natural images with their own labels: null models answer them, so it is void", async () => {
    const key = makeKeyElsewhere({ triggers: natural, labels: natural.labels, classes: CLASSES });
    const check = await checkKey(key, { nullModels: knowing });
    expect(check.sound).toBe(false);
    expect(check.void).toContain("it convicts 2 of 2 null models");
    expect(check.nullModels.every(({ pValue }) => pValue < 1e-10)).toBe(true);
    expect(finding(check, "provenance")?.good).toBe(false);
    expect(describeKeyCheck(check)[0]).toMatch(/^Not sound: it convicts/);
  });

  test("the same images with labels that are drawn are no such key", async () => {
    const key = makeKeyElsewhere({ triggers: natural, classes: CLASSES, secret });
    const check = await checkKey(key, { nullModels: knowing, base: data });
    expect(check.sound).toBe(true);
    expect(finding(check, "regenerable")).toMatchObject({ good: null });
    expect(finding(check, "strangers")?.text).toContain("made elsewhere");
  });

  test("one image many times counts once, which can prove nothing", async () => {
    const one = tinyImages(1, { ...like, seed: 9 });
    const size = like.side ** 2;
    const key = makeKeyElsewhere({ triggers: one, labels: one.labels, classes: CLASSES });
    const images = new Uint8Array(30 * size);
    for (let i = 0; i < 30; i++) images.set(key.triggers.images, i * size);
    images[0] = (images[0] ?? 0) ^ 1;
    const copies: Key = { ...key, triggers: { images, count: 30, labels: new Uint16Array(30).fill(2) } };
    const check = await checkKey(copies, { alpha: 1e-3 });
    expect(check).toMatchObject({ sound: false, triggers: 30, distinct: 1 });
    expect(finding(check, "distinct")?.text).toContain("2 of 30 differ at all, 1 by more than a copy");
    expect(check.void.join()).toContain("it shows nothing at 0.001");
  });

  test("without a commitment a chosen key shows nothing, with one it is worth what the null models are", async () => {
    const key = makeKeyElsewhere({ triggers: natural, labels: natural.labels, classes: CLASSES });
    const check = await checkKey(key);
    expect(check.uncommitted).toMatchObject({ pValue: 1, matchesNeeded: null });
    expect(check.uncommitted.needs.join()).toContain("public commitment");
    expect(check.committed).toMatchObject({ pValue: 0.05, needs: ["null models: 19 (19 of them assumed)"] });
    const stricter = await checkKey(key, { alpha: 0.01, nullModels: [] });
    expect(stricter.committed).toMatchObject({ pValue: 0.01, needs: ["null models: 99 (99 of them assumed)"] });
    expect((await checkKey(key, { alpha: 1e-4 })).sound).toBe(false);
  });
});
