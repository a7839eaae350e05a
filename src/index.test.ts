/** @file The public API: what it says, refuses and infers; docs/library.md, which the tests run, shows what it does. */

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, expectTypeOf, test } from "vitest";
import {
  type CleanedMark,
  type Dataset,
  embed,
  encodeModel,
  evaluate,
  findArchitecture,
  findMark,
  findMethod,
  type Key,
  loadDataset,
  loadModel,
  type MarkedModel,
  type Model,
  makeDataset,
  markSchemes,
  newModel,
  readKey,
  removalMethods,
  remove,
  saveModel,
  select,
  verify,
  writeKey,
} from "./index.js";

const folder = await mkdtemp(join(tmpdir(), "wildmark-api-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

let dataset: Dataset;
let marked: MarkedModel;
beforeAll(async () => {
  dataset = await loadDataset("digits", { limits: { train: 800, test: 100 } });
  marked = await embed({
    dataset,
    scheme: "noise",
    options: { triggers: 30, heldOut: 10 },
    training: { epochs: 12, batch: 32 },
    seed: 0,
  });
});

test("embed, save, load, verify, remove, verify", async () => {
  await saveModel(join(folder, "marked.onnx"), marked.model);
  await writeKey(join(folder, "mark.safetensors"), marked.key);
  const model = await loadModel(join(folder, "marked.onnx"));
  const key = await readKey(join(folder, "mark.safetensors"));
  const { accuracy, retention } = marked.measured;
  expect(await evaluate({ model, dataset })).toMatchObject({ accuracy, images: 100, atChance: false });
  expect(await verify({ model, key })).toMatchObject({ owned: true, n: 30, retention });

  const cleaned = await remove({ model, dataset, method: "scratch", options: { epochs: 1 }, fraction: 0.2, key });
  expectTypeOf(cleaned.mark).toEqualTypeOf<CleanedMark>();
  expect(cleaned.images).toBe(160);
  expect(cleaned.mark.verdict.owned).toBe(false);
  // Whoever attacks his own mark need not be convinced that it is his own.
  expect(cleaned.mark.verdict).toMatchObject({ n: 30, provenance: "made-here" });
  expect(await verify({ model: cleaned.model, key })).toMatchObject({ n: 30, provenance: "drawn", owned: false });
});

test("a method that was chosen beforehand runs like one that is named", async () => {
  const { model } = marked;
  const method = findMethod("wild").choose({ metric: "ce", epochs: 1 });
  const [chosen, named] = [
    await remove({ model, dataset, method, seed: 3 }),
    await remove({ model, dataset, options: { metric: "ce", epochs: 1 }, seed: 3 }),
  ];
  expect(encodeModel(chosen.model)).toEqual(encodeModel(named.model));
  expect(chosen).not.toHaveProperty("mark");
});

test("methods and marks go by their own ids", () => {
  for (const { id } of removalMethods) expect(findMethod(id).id).toBe(id);
  for (const { id } of markSchemes) expect(findMark(id).id).toBe(id);
});

test("options that cannot be are refused before anything long begins", async () => {
  const { model, key } = marked;
  const refused = (work: Promise<unknown>) => expect(work).rejects;
  await refused(embed({ dataset, options: { triggers: -1 } })).toMatchObject({ code: "usage" });
  await refused(embed({ dataset, training: { epochs: 0 } })).toMatchObject({ code: "usage" });
  await refused(embed({ dataset, architecture: "lenet6" })).toMatchObject({ code: "usage" });
  await refused(embed({ dataset, model, architecture: "lenet5" })).toMatchObject({ code: "usage" });
  const method = findMethod("wild").choose();
  await refused(remove({ model, dataset, method, options: { epochs: 1 } })).toMatchObject({ code: "usage" });
  await refused(remove({ model, dataset, fraction: 2 })).toMatchObject({ code: "usage" });
  await refused(loadModel("absent.onnx", { preprocessing: { std: [0] } })).toMatchObject({
    code: "usage",
    message: expect.stringContaining("std"),
  });
  const other = newModel(findArchitecture("lenet5"), { channels: 3, height: 32, width: 32, classes: 10 }, 0);
  await refused(evaluate({ model: other, dataset })).toMatchObject({ code: "bad-data" });
  await refused(embed({ model: other, dataset })).toMatchObject({ code: "bad-data" });
  await refused(remove({ model: other, dataset, key })).toMatchObject({ code: "bad-data" });
  // A suspect that takes other images is asked all the same.
  expect(await verify({ model: other, key })).toMatchObject({ owned: false });
});

test("a seed that is not given is drawn anew, because whoever knows it has the key", async () => {
  const few = makeDataset({ id: "few", title: "A few", train: firstOf(dataset.train), test: firstOf(dataset.test) });
  const make = () =>
    embed({ dataset: few, scheme: "noise", options: { triggers: 3, heldOut: 1 }, training: { epochs: 1 } });
  const [one, other] = [await make(), await make()];
  expect(one.key.seed).not.toBe(other.key.seed);
});

test("what is said of the preprocessing comes before what is assumed", async () => {
  const path = join(folder, "said.onnx");
  await saveModel(path, await loadModel(join(folder, "marked.onnx"), { preprocessing: { range: [0, 255] } }));
  expect(existsSync(join(folder, "said.wildmark.json"))).toBe(true);
  const [{ says } = { says: {} }] = (await loadModel(path)).preprocessing;
  expect(says).toEqual({ range: [0, 255] });
});

test("options are typed by the method and the mark", () => {
  // Never called: only its types are looked at.
  const typed = (model: Model, key: Key) => {
    void remove({ model, dataset, method: "fine-tune", options: { variant: "rtal" } });
    // @ts-expect-error WILD has no variant
    void remove({ model, dataset, options: { variant: "rtal" } });
    // @ts-expect-error there is no such method
    void remove({ model, dataset, method: "magic" });
    // @ts-expect-error the noise mark has no shape
    void embed({ dataset, scheme: "noise", options: { shape: "text" } });
    // @ts-expect-error a verdict needs a key
    void verify({ model });
    void verify({ model, key, alpha: 0.01 });
  };
  expectTypeOf(typed).returns.toBeVoid();
});

function firstOf(images: Dataset["train"]): Dataset["train"] {
  return select(
    images,
    Uint32Array.from({ length: Math.min(120, images.count) }, (_, i) => i),
  );
}
