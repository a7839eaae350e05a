/** @file Adversarial copies: the model errs more on them, and they stay in the box and in the range. */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { imageGraph } from "../onnx/image-graph.js";
import { decodeModel, type Model, withWeights } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { createSession } from "../runtime/session.js";
import { meanCrossEntropy } from "../training/objective.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { adversarialCopies } from "./adversarial.js";
import { packImages } from "./batches.js";
import { copyPixels, type LabelledImages, select } from "./dataset.js";

const random = randomStream(4, "attack");
/** More than two batches, and no whole number of them. */
const images = tinyImages(150);
let model: Model;
beforeAll(async () => {
  model = await learnt(tinyModel({ batchNorm: true }), images, 6);
});

const copiesOf = (set: LabelledImages, attackSteps: number, epsilon = 0.1): Promise<LabelledImages> =>
  adversarialCopies(model, set, { epsilon, attackSteps }, { random });

/** Mean cross-entropy of a model on the images. */
async function lossOn(asked: Model, { shape, count, classes, labels, pixels }: LabelledImages): Promise<number> {
  const { graph, classifier } = imageGraph(asked, shape);
  const b = graphBuilder("loss", { from: graph });
  b.input("targets", "float32", [count, classes]);
  const loss = meanCrossEntropy(b, classifier.logits, "targets");
  b.output(loss);
  const input = new Float32Array(count * 64);
  packImages({ shape, count, pixels }, [...labels.keys()], input);
  const targets = new Float32Array(count * classes);
  labels.forEach((label, i) => {
    targets[i * classes + label] = 1;
  });
  const session = await createSession(b.build());
  const feeds = new Map([
    [classifier.input.name, float32([count, 1, 8, 8], input)],
    ["targets", float32([count, classes], targets)],
  ]);
  const found = (await session.run(feeds)).get(loss);
  await session.release();
  return Number(found?.data[0]);
}

test("no pixel moves by more than ε in whole levels, and the loss rises: with FGSM, and with PGD further", async () => {
  const original = copyPixels(images);
  const before = await lossOn(model, images);
  const after: number[] = [];
  for (const steps of [1, 10]) {
    const copies = await copiesOf(images, steps);
    expect({ ...copies, pixels: undefined }).toEqual({ ...images, pixels: undefined });
    const moved = copyPixels(copies).map((level, i) => Math.abs(level - (original[i] ?? 0)));
    // 0.1 of 255 levels is 25.5: 25 whole ones.
    expect(Math.max(...moved)).toBe(25);
    after.push(await lossOn(model, copies));
  }
  expect(after[0]).toBeGreaterThan(before + 0.1);
  expect(after[1]).toBeGreaterThanOrEqual(after[0] ?? Number.NaN);
});

test("an ε of 1 leaves pixels within [0, 1], some at both ends", async () => {
  const levels = new Set(copyPixels(await copiesOf(images, 1, 1)));
  expect([...levels].toSorted((a, b) => a - b).filter((level) => level === 0 || level === 255)).toEqual([0, 255]);
});

test("an image's copy does not depend on what stands beside it", async () => {
  const few = select(images, [149, 3, 7]);
  const [all, alone] = [copyPixels(await copiesOf(images, 1)), copyPixels(await copiesOf(few, 1))];
  expect(alone.subarray(0, 64)).toEqual(all.subarray(149 * 64));
  expect(alone.subarray(64, 128)).toEqual(all.subarray(3 * 64, 4 * 64));
});

test("a model that is certain of its answers is misled like one that is not", async () => {
  // Scores a thousand times as large: every probability is 0 or 1, and cross-entropy has no gradient left.
  const stored = storedTensors(model.graph);
  const scaled = (name: string): [string, FloatTensor] => {
    const tensor = stored.get(name);
    if (tensor?.type !== "float32") throw new Error(name);
    return [
      name,
      float32(
        tensor.dims,
        tensor.data.map((value) => 1000 * value),
      ),
    ];
  };
  const certain = withWeights(model, new Map([scaled("fc2.weight"), scaled("fc2.bias")]));
  const options = { epsilon: 0.1, attackSteps: 1 };
  const copies = await adversarialCopies(certain, images, options, { random });
  expect(copyPixels(copies)).not.toEqual(copyPixels(images));
  const ofUncertain = await copiesOf(images, 1);
  expect(await lossOn(certain, copies)).toBeGreaterThan(0.8 * (await lossOn(certain, ofUncertain)));
  expect(await lossOn(certain, ofUncertain)).toBeGreaterThan(2 * (await lossOn(certain, images)) + 1);
});

test("an operator without a gradient is named, a fired signal ends it", async () => {
  const b = graphBuilder("hard");
  const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 8, 8])], { axis: 1 });
  const w = b.initializer("w", float32([64, 4], new Float32Array(256).fill(0.1)));
  b.output(b.op("MatMul", [b.op("Gelu", [b.op("Tan", [x])]), w]), "float32", ["batch", 4]);
  const hard: Model = decodeModel(encodeGraph(b.build()), "hard");
  const options = { epsilon: 0.1, attackSteps: 1 };
  await expect(adversarialCopies(hard, images, options, { random })).rejects.toMatchObject({
    code: "unsupported-operator",
  });
  const run = { random, signal: AbortSignal.abort() };
  await expect(adversarialCopies(model, images, options, run)).rejects.toMatchObject({ code: "interrupted" });
});
