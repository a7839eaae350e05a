/** @file Graphs as exporters write transformers and upsampling blocks: all their weights are found, and they learn. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { conv2d, dense, type LayerContext, relu } from "../models/layers.js";
import { graphBuilder } from "../onnx/builder.js";
import { canonicalGraph } from "../onnx/canonical.js";
import { findClassifier } from "../onnx/classifier.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { trainEpochs } from "./epochs.js";
import { crossEntropyObjective } from "./objective.js";
import { tinyImages } from "./testing/tiny.js";
import { type VitOptions, vitModel } from "./testing/vit.js";

/** Guessing costs ln 4 = 1.39 a picture; at 0.3 the right one of four classes typically gets 74 %. */
const LEARNT = 0.3;

/** The mean loss of each epoch on 64 noisy images with a band in one of four places. */
async function lossesOf(model: Model): Promise<number[]> {
  const feed = imageFeed(tinyImages(64), { batch: 16, views: [cleanView], random: randomStream(0) });
  const losses: number[] = [];
  const plan = {
    objective: crossEntropyObjective(),
    optimizer: { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 },
    learningRate: 0.05,
    schedule: { kind: "constant" },
    epochs: 40,
    train: "all",
    batchNorm: "train",
  } as const;
  for await (const { loss } of trainEpochs(model, plan, feed)) losses.push(loss);
  return losses;
}

const WEIGHTS = [
  ...["cls_token", "pos_embed"],
  ...["fc1", "fc2", "head", "norm", "norm1", "norm2", "patch_embed", "proj", "qkv"].flatMap((layer) => [
    `${layer}.bias`,
    `${layer}.weight`,
  ]),
];

describe("a Vision Transformer", () => {
  const forms: readonly VitOptions[] = [
    { batch: "dynamic", attention: "MatMul", norm: "LayerNormalization", positions: "Add" },
    { batch: "inferred", attention: "Einsum", norm: "ReduceMean", positions: "Gather" },
    { batch: "dynamic", attention: "Attention", norm: "LayerNormalization", positions: "Add" },
  ];
  test.each(forms)("batch $batch, attention by $attention, $norm, positions by $positions", async (options) => {
    const model = vitModel(options);
    const { trainable } = findClassifier(canonicalGraph(model.graph));
    expect(trainable.toSorted()).toEqual(WEIGHTS.toSorted());
    const losses = await lossesOf(model);
    expect(losses[0]).toBeGreaterThan(2 * LEARNT);
    expect(losses.at(-1)).toBeLessThan(LEARNT);
  });
});

test.each(["nearest", "linear"])("a net that shrinks and enlarges its maps by Resize (%s) learns", async (mode) => {
  const b = graphBuilder("upsampling");
  const context: LayerContext = { b, random: randomStream(0, "init") };
  const image = b.input("image", "float32", ["batch", 1, 8, 8]);
  const small = relu(
    context,
    conv2d(context, "down", image, { inputs: 1, outputs: 4, kernel: 3, padding: 1, stride: 2 }),
  );
  const scales = b.initializer("scales", float32([4], [1, 1, 2, 2]));
  const large = b.op("Resize", [small, "", scales], {
    mode,
    coordinate_transformation_mode: mode === "nearest" ? "asymmetric" : "half_pixel",
    nearest_mode: "floor",
  });
  const joined = b.op("Concat", [large, image], { axis: 1 });
  const mixed = relu(
    context,
    conv2d(context, "up", joined, { inputs: 5, outputs: 4, kernel: 3, padding: 1, stride: 2 }),
  );
  b.output(dense(context, "head", b.op("Flatten", [mixed], { axis: 1 }), 64, 4), "float32", ["batch", 4]);
  const losses = await lossesOf(decodeModel(encodeGraph(b.build()), "upsampling"));
  expect(losses[0]).toBeGreaterThan(2 * LEARNT);
  expect(losses.at(-1)).toBeLessThan(LEARNT);
});
