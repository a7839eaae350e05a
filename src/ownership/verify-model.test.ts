/** @file From a trigger set to a key, and from a key to questions that a model is asked. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { WILDMARK_VERSION } from "../core/version.js";
import { answers } from "../data/answers.js";
import { copyPixels } from "../data/dataset.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { type ChosenMark, findMark } from "../watermarks/registry.js";
import type { TriggerSet } from "../watermarks/scheme.js";
import type { Key } from "./key.js";
import { decodeKey, encodeKey } from "./key-file.js";
import { heldOutTriggersOf, triggersOf } from "./key-images.js";
import { makeKey } from "./make-key.js";
import { verifyModel } from "./verify-model.js";

const images = { side: 20, classes: 8 };
const mine = { madeHere: true };
const few = { triggers: 8, heldOut: 4 };

async function marked(
  id: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<{ mark: ChosenMark; set: TriggerSet; key: Key }> {
  const mark = findMark(id).choose({ ...few, ...findMark(id).published, ...options });
  const owner = { train: tinyImages(240, images), unrelated: tinyImages(40, { ...images, seed: 2 }) };
  const set = await mark.make({ ...owner, random: randomStream(3) });
  return { mark, set, key: makeKey({ mark, set, seed: 3, modelSha256: "ab".repeat(32) }) };
}

describe("the key of a mark", () => {
  test.each(["content", "noise", "unrelated"])("%s: holds what was embedded, and survives its file", async (id) => {
    const { mark, set, key } = await marked(id);
    expect(key).toMatchObject({ scheme: id, seed: 3, classes: 8, shape: set.triggers.shape, options: mark.options });
    expect(key.modelSha256).toBe("ab".repeat(32));
    expect(key.createdBy).toBe(`wildmark ${WILDMARK_VERSION}`);
    expect(triggersOf(key)).toEqual(set.triggers);
    expect(heldOutTriggersOf(key)).toEqual(set.heldOut);
    const read = decodeKey(encodeKey(key), "key");
    expect(triggersOf(read)).toEqual(set.triggers);
    expect(heldOutTriggersOf(read)).toEqual(set.heldOut);
    expect(encodeKey(read)).toEqual(encodeKey(key));
  });

  test("pairs placebos and keeps source labels for stamped marks only", async () => {
    const content = await marked("content");
    expect(content.key.placebos).toEqual({ images: copyPixels(content.set.placebos.images), count: 8, paired: true });
    expect(content.key.sourceLabels).toEqual(new Uint16Array(8).fill(4));
    const unrelated = await marked("unrelated");
    expect(unrelated.key.placebos?.paired).toBe(false);
    expect(unrelated.key.sourceLabels).toBeUndefined();
  });

  test("a key without held-out triggers has none to give", async () => {
    expect(heldOutTriggersOf({ ...(await marked("content")).key, heldOut: undefined })).toBeUndefined();
  });
});

describe("verifying a model", () => {
  const model = tinyModel({ ...images, seed: 4 });

  test("asks triggers and placebos: the counts are those of its own answers", async () => {
    const { key, set } = await marked("unrelated", { labels: "random" });
    const verdict = await verifyModel(model, key, mine);
    const given = await answers(model, set.triggers);
    expect(verdict.n).toBe(8);
    expect(verdict.matches).toBe(given.filter((answer, i) => answer === set.triggers.labels[i]).length);
    expect(verdict.tests.map(({ id }) => id)).toEqual(["binomial", "placebo-fisher"]);
    expect((await verifyModel(model, { ...key, placebos: undefined }, mine)).tests.map(({ id }) => id)).toEqual([
      "binomial",
    ]);
  });

  test("hands on the level and the confidence", async () => {
    const { key } = await marked("content");
    expect(await verifyModel(model, key, { alpha: 0.01, confidence: 0.9 })).toMatchObject({
      alpha: 0.01,
      confidence: 0.9,
    });
  });

  test(
    "a model that answers the key's labels on triggers alone is shown to be owned; an unmarked " + "one is not",
    async () => {
      // Each trigger's first pixel says what to answer: 255 for class 6, less for class 0.
      const { key, set } = await marked("content", { triggers: 12, heldOut: 1 });
      const size = 400;
      const flagged = (pixels: Uint8Array, value: number): Uint8Array =>
        pixels.map((pixel, at) => (at % size === 0 ? value : pixel));
      const suspect = thresholdModel(size);
      const planted: Key = {
        ...key,
        triggers: { ...key.triggers, images: flagged(copyPixels(set.triggers), 255) },
        placebos: { images: flagged(copyPixels(set.placebos.images), 0), count: 12, paired: true },
      };
      expect(await verifyModel(suspect, planted, mine)).toMatchObject({ owned: true, matches: 12 });
      expect(await verifyModel(model, key, mine)).toMatchObject({ owned: false });
    },
  );

  test("ranks the suspect among unmarked models, in place of the placebos", async () => {
    const { key, set } = await marked("unrelated", { labels: "random" });
    const unmarked = [5, 6, 7].map((seed) => tinyModel({ ...images, seed }));
    const verdict = await verifyModel(model, key, { ...mine, nullModels: unmarked });
    const matches = async (asked: Model): Promise<number> =>
      (await answers(asked, set.triggers)).filter((answer, i) => answer === set.triggers.labels[i]).length;
    const others = await Promise.all(unmarked.map(matches));
    const asMany = others.filter((other) => other >= verdict.matches).length;
    expect(verdict.tests.map(({ id }) => id)).toEqual(["binomial", "empirical-null"]);
    expect(verdict.tests[1]?.pValue).toBe((1 + asMany) / 4);
  });

  test(
    "refuses the suspect, the marked model and a model twice among the unmarked, and one of " + "another kind",
    async () => {
      const { key } = await marked("content");
      const other = tinyModel({ ...images, seed: 5 });
      const madeFor = { ...key, modelSha256: modelSha256(encodeModel(other)) };
      await expect(verifyModel(model, key, { nullModels: [other, model] })).rejects.toThrow(
        /model 2 .* as the suspect/,
      );
      await expect(verifyModel(model, key, { nullModels: [other, other] })).rejects.toThrow(/2 .* as null model 1/);
      await expect(verifyModel(model, madeFor, { nullModels: [other] })).rejects.toThrow(/the marked model/);
      const misfit = tinyModel({ side: 16, classes: 8 });
      await expect(verifyModel(model, key, { nullModels: [misfit] })).rejects.toMatchObject({
        code: "bad-key",
        message: expect.stringContaining("null model 1"),
      });
    },
  );

  test("models that take the same pixels in another form are asked too", async () => {
    const { key } = await marked("content");
    expect((await verifyModel(thresholdModel(400), key)).n).toBe(8);
  });

  test.each([
    ["another size", tinyModel({ side: 16, classes: 8 })],
    ["colours", tinyModel({ side: 20, classes: 8, channels: 3 })],
    ["other classes", tinyModel({ side: 20, classes: 5 })],
  ])("a model of %s is asked all the same: a thief may have changed it", async (_, other) => {
    expect(await verifyModel(other, (await marked("content")).key, mine)).toMatchObject({ n: 8, owned: false });
  });
});

/** Flat pixels in; answers class 6 where the first one is above one half, else class 0. */
function thresholdModel(size: number): Model {
  const b = graphBuilder("threshold");
  const x = b.input("pixels", "float32", ["batch", size]);
  const weight = new Float32Array(size * 8);
  weight[6] = 1;
  const bias = [0.5, -9, -9, -9, -9, -9, 0, -9];
  const scores = b.op("Gemm", [
    x,
    b.initializer("weight", float32([size, 8], weight)),
    b.initializer("bias", float32([8], bias)),
  ]);
  b.output(scores, "float32", ["batch", 8]);
  return decodeModel(encodeGraph(b.build()), "threshold");
}
