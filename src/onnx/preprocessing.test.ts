/** @file Who says what of a model's preprocessing, and that it travels with the model. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tinyModel } from "../training/testing/tiny.js";
import { decodeModel, encodeModel, withMetadata, withPreprocessing, withWeights } from "./model.js";
import { readModelFile, sidecarPath, writeModelFile } from "./model-file.js";
import { guessLayout, METADATA_KEY, parsePreprocessing, resolvePreprocessing } from "./preprocessing.js";
import { storedTensors } from "./traverse.js";

const folder = mkdtempSync(join(tmpdir(), "wildmark-preprocessing-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  [["N", 3, 32, 32], "NCHW"],
  [["N", 28, 28, 1], "NHWC"],
  [["N", undefined, undefined, 3], "NHWC"],
  [[1, 784], "flat"],
  [[1, 784, 1], "flat"],
  [["N", 28, 28], "NHW"],
  [["N", 3, 32, 3], undefined],
  [["N", 8, 32, 32], undefined],
  [undefined, undefined],
] as const)("layout of %j is %s", (dims, layout) => {
  expect(guessLayout(dims)).toBe(layout);
});

test(
  "each field comes from the first source that speaks of it; the images settle a layout that dimensions " +
    "leave open",
  () => {
    const sources = [
      { from: "--mean", says: { mean: [0.5] } },
      { from: "m.wildmark.json", says: { mean: [0.1], range: [0, 255] as const } },
    ];
    const shape = { channels: 8, height: 32, width: 32 };
    const resolved = resolvePreprocessing(sources, ["N", 32, 32, 8], shape);
    expect(resolved).toMatchObject({ layout: "NHWC", range: [0, 255], mean: [0.5], std: [1], channelOrder: "RGB" });
    expect(resolved.from).toEqual({
      ...{ layout: "assumed", range: "m.wildmark.json", mean: "--mean" },
      ...{ std: "assumed", channelOrder: "assumed" },
    });
  },
);

test("metadata inside the file: Wildmark's key, and ONNX's own for images", () => {
  const own = withMetadata(tinyModel(), new Map([[METADATA_KEY, '{"range": [-1, 1]}']]));
  expect(decodeModel(encodeModel(own), "m").preprocessing).toEqual([{ from: "metadata", says: { range: [-1, 1] } }]);
  const standard = new Map([
    ["Image.NominalPixelRange", "NominalRange_0_255"],
    ["Image.BitmapPixelFormat", "Bgr8"],
  ]);
  expect(decodeModel(encodeModel(withMetadata(tinyModel(), standard)), "m").preprocessing).toEqual([
    { from: "metadata", says: { range: [0, 255], channelOrder: "BGR" } },
  ]);
});

test(
  "a sidecar is read with its model, survives new weights, is written with what follows and " + "replaced with it",
  async () => {
    const path = join(folder, "m.onnx");
    await writeModelFile(path, tinyModel());
    expect(existsSync(sidecarPath(path))).toBe(false);
    writeFileSync(sidecarPath(path), '{"mean": [0.5], "std": [0.25]}');
    const read = await readModelFile(path);
    expect(read.preprocessing).toEqual([{ from: "m.wildmark.json", says: { mean: [0.5], std: [0.25] } }]);

    const [name = "", tensor] = [...storedTensors(read.graph)][0] ?? [];
    if (tensor === undefined) throw new Error("no weights");
    const next = withWeights(
      withPreprocessing(read, { from: "--mean", says: { mean: [0.125] } }),
      new Map([[name, tensor]]),
    );
    const out = join(folder, "next.onnx");
    await writeModelFile(out, next);
    expect(JSON.parse(readFileSync(join(folder, "next.wildmark.json"), "utf8"))).toEqual({
      mean: [0.125],
      std: [0.25],
    });
    expect(readFileSync(out)).toEqual(readFileSync(path));

    // A model without any would be read with the other one's.
    await rmSync(out);
    await expect(writeModelFile(out, tinyModel())).rejects.toMatchObject({ code: "cannot-write" });
    await writeModelFile(out, tinyModel(), { force: true });
    expect(existsSync(join(folder, "next.wildmark.json"))).toBe(false);
  },
);

test.each([
  ["no JSON", /is no JSON/],
  ['{"mean": "0.5"}', /mean: .*expected array/],
  ['{"std": [0]}', /standard deviation is above 0/],
  ['{"range": [1, 1]}', /range/],
  ['{"sigma": 1}', /sigma/],
])("%s is refused", (json, says) => {
  expect(() => parsePreprocessing(json, "m.wildmark.json")).toThrow(
    expect.objectContaining({ code: "bad-file", message: expect.stringMatching(says), hint: expect.any(String) }),
  );
});
