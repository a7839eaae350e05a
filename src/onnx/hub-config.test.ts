/** @file What hubs say beside a model, in the forms in which they say it. */

import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { graphBuilder } from "./builder.js";
import { encodeGraph } from "./encode.js";
import { parseHubConfig } from "./hub-config.js";
import { readModelFile } from "./model-file.js";
import { resolvePreprocessing } from "./preprocessing.js";

const mean = [0.485, 0.456, 0.406];
const std = [0.229, 0.224, 0.225];

describe("Hugging Face's", () => {
  test("mean and deviation, and the size in words", () => {
    const config = { do_normalize: true, image_mean: mean, image_std: std, do_center_crop: true };
    const found = parseHubConfig(
      JSON.stringify({ ...config, size: { shortest_edge: 256 }, crop_size: { height: 224, width: 224 } }),
    );
    expect(found).toEqual({
      says: { range: [0, 1], mean, std },
      size: "resized to 256 at the shorter side, cut to 224×224",
    });
    expect(parseHubConfig(JSON.stringify({ ...config, do_center_crop: false, size: 224 }))?.size).toBe(
      "resized to 224×224",
    );
  });

  test("no normalising, another factor, no factor, colours turned round", () => {
    const of = (more: object) => parseHubConfig(JSON.stringify({ image_mean: mean, image_std: std, ...more }))?.says;
    expect(of({ do_normalize: false })).toEqual({ range: [0, 1], mean: [0], std: [1] });
    expect(of({ rescale_factor: 1 / 127.5 })?.range?.[1]).toBeCloseTo(2, 12);
    expect(of({ do_rescale: false })?.range).toEqual([0, 255]);
    expect(of({ do_flip_channel_order: true })?.channelOrder).toBe("BGR");
  });
});

test("timm's", () => {
  const pretrained = { mean, std, input_size: [3, 224, 224], crop_pct: 0.875, interpolation: "bicubic" };
  expect(parseHubConfig(JSON.stringify({ architecture: "resnet50", pretrained_cfg: pretrained }))).toEqual({
    says: { range: [0, 1], mean, std },
    size: "resized to 256, cut to 224×224",
  });
});

test.each([
  ["the description of a text model", { model_type: "bert", hidden_size: 768 }],
  ["numbers that are none", { image_mean: ["a"], image_std: std }],
  ["a list", []],
])("%s says nothing", (_, json) => {
  expect(parseHubConfig(JSON.stringify(json))).toBeUndefined();
  expect(parseHubConfig("{")).toBeUndefined();
});

test("lies beside the model or above its folder, and counts less than model.wildmark.json", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wildmark-hub-"));
  await mkdir(join(folder, "onnx"));
  const b = graphBuilder("net");
  b.output(b.op("Flatten", [b.input("x", "float32", ["n", 3, 4, 4])]));
  const path = join(folder, "onnx", "model.onnx");
  await writeFile(path, encodeGraph(b.build()));
  await writeFile(join(folder, "preprocessor_config.json"), JSON.stringify({ image_mean: mean, image_std: std }));
  const read = async () => {
    const { preprocessing, graph, notes } = await readModelFile(path);
    return { ...resolvePreprocessing(preprocessing, graph.inputs[0]?.dims), notes };
  };
  const first = await read();
  expect(first).toMatchObject({ mean, std, from: { mean: "preprocessor_config.json", layout: "assumed" } });
  expect(first.notes).toEqual([expect.stringContaining("preprocessor_config.json")]);
  // What another program keeps under such a name stands in nobody's way.
  await mkdir(join(folder, "onnx", "preprocessor_config.json"));
  await writeFile(join(folder, "onnx", "config.json"), "x".repeat(2 ** 20 + 1));
  expect(await read()).toEqual(first);
  await writeFile(join(folder, "onnx", "model.wildmark.json"), JSON.stringify({ mean: [0.5] }));
  expect(await read()).toMatchObject({ mean: [0.5], std, from: { mean: "model.wildmark.json" } });
});
