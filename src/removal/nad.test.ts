/** @file Neural attention distillation's mechanism: the student's attention comes nearer to the teacher's. */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { findArchitecture, newModel } from "../models/registry.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { imageGraph } from "../onnx/image-graph.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { compileGradient } from "../training/gradient.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { type AttentionMap, attentionMaps, attentionObjective, fineTuned, nad } from "./nad.js";

const subset = tinyImages(64, { seed: 3 });
const attack = (model: Model) => ({ model, subset, random: randomStream(2) });
const chosen = nad.options.parse({ epochs: 6, teacherEpochs: 6, batch: 16, learningRate: 0.02 });

let marked: Model;
beforeAll(async () => {
  marked = await learnt(tinyModel(), tinyImages(96), 6);
}, 30_000);

/** The objective on the attacker's images, all in one batch, as the model answers when it is used. */
async function objectiveOf(student: Model, teacher: Model, maps: readonly AttentionMap[], beta: number) {
  const { graph, classifier } = imageGraph(student, subset.shape);
  const objective = attentionObjective(teacher, subset.shape, maps, beta);
  const plan = {
    graph,
    classifier,
    classes: 4,
    batch: 64,
    objective,
    batchNorm: "frozen",
    by: ["fc2.weight"],
  } as const;
  const gradient = await compileGradient(plan);
  const feed = imageFeed(subset, { batch: 64, views: [cleanView], random: randomStream(0) });
  feed.fill(1, 0, gradient.images, gradient.targets);
  const { loss } = await gradient.run();
  await gradient.release();
  return loss;
}

async function distance(student: Model, teacher: Model, maps: readonly AttentionMap[]): Promise<number> {
  return (await objectiveOf(student, teacher, maps, 1000)) - (await objectiveOf(student, teacher, maps, 0));
}

async function taught(beta: number): Promise<Model> {
  let model = marked;
  for await (const stage of nad.run(attack(marked), { ...chosen, beta })) model = stage.model();
  return model;
}

test("attention comes nearer to the teacher's than without the distance, and than the marked model's", async () => {
  const maps = await attentionMaps(attack(marked), "last");
  const { model: teacher, seconds } = await fineTuned(attack(marked), chosen);
  expect(seconds).toBeGreaterThan(0);
  const [before, alone, after] = [
    await distance(marked, teacher, maps),
    await distance(await taught(0), teacher, maps),
    await distance(await taught(5000), teacher, maps),
  ];
  expect(before).toBeGreaterThan(1e-3);
  expect(after).toBeLessThan(0.5 * before);
  expect(after).toBeLessThan(alone);
  // A model's attention has no distance from itself, but for rounding.
  expect(Math.abs(await distance(teacher, teacher, maps))).toBeLessThan(1e-5);
});

test("the distance is that of squared activations summed over channels, of length 1", async () => {
  const b = graphBuilder("plain");
  const image = b.input("image", "float32", ["batch", 1, 8, 8]);
  const kernel = (factors: readonly number[]) => float32([2, 1, 1, 1], factors);
  const make = (factors: readonly number[]): Model => {
    const g = graphBuilder("plain", { from: b.build() });
    const map = g.op("Conv", [image, g.initializer("kernel", kernel(factors))], {}, { name: "map" });
    const pooled = g.op("Flatten", [g.op("GlobalAveragePool", [map])], { axis: 1 });
    const scores = g.op("MatMul", [pooled, g.initializer("fc2.weight", float32([2, 4], [1, 0, 0, 0, 0, 1, 0, 0]))]);
    g.output(scores, "float32", ["batch", 4]);
    return decodeModel(encodeGraph(g.build()), "plain");
  };
  const maps = await attentionMaps(attack(make([1, 1])), "last");
  expect(maps).toEqual([{ value: "map", sumOver: 1 }]);
  // Scaled maps look at the same places: the lengths do not count.
  expect(Math.abs(await distance(make([1, 2]), make([3, -1]), maps))).toBeLessThan(1e-4);
});

test("maps: one for each resolution or the last, and the last hidden layer where nothing convolves", async () => {
  const image = { channels: 1, height: 16, width: 16, classes: 4 };
  const residual = newModel(findArchitecture("resnet18-4"), image, 0);
  const larger = tinyImages(8, { side: 16 });
  const all = await attentionMaps({ model: residual, subset: larger }, "stages");
  expect(all.length).toBe(4);
  expect(await attentionMaps({ model: residual, subset: larger }, "last")).toEqual(all.slice(-1));
  const b = graphBuilder("perceptron");
  const dense = (x: string, name: string, inputs: number, outputs: number): string => {
    const weight = Float32Array.from({ length: inputs * outputs }, (_, i) => Math.sin(i));
    return b.op("MatMul", [x, b.initializer(name, float32([inputs, outputs], weight))], {}, { name: `${name}/out` });
  };
  const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 8, 8])], { axis: 1 });
  const hidden = b.op("Relu", [dense(x, "fc1", 64, 6)], {}, { name: "hidden" });
  b.output(dense(hidden, "fc2.weight", 6, 4), "float32", ["batch", 4]);
  const perceptron = decodeModel(encodeGraph(b.build()), "perceptron");
  expect(await attentionMaps(attack(perceptron), "stages")).toEqual([{ value: "hidden", sumOver: undefined }]);
  let epochs = 0;
  for await (const _ of nad.run(attack(perceptron), { ...chosen, epochs: 1, teacherEpochs: 1 })) epochs += 1;
  expect(epochs).toBe(1);
});
