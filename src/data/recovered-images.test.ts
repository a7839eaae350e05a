/**
 * @file Recovered images are answered with their class, smooth by the terms that want them so, and split by their
 * features.
 */

import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { accuracy } from "./answers.js";
import { copyPixels, imageAt, type LabelledImages } from "./dataset.js";
import { inMemory } from "./pixels.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { imageGraph } from "../onnx/image-graph.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { floats, overChunks, withOutputs } from "./hidden-values.js";
import { recoveredImages, splitRecovered } from "./recovered-images.js";
import { weightOf } from "../removal/testing/attacked.js";
import { perceptron } from "../removal/testing/perceptron.js";

const subset = tinyImages(8);
let model: Model;
beforeAll(async () => {
  model = await learnt(perceptron(), tinyImages(96), 12);
}, 30_000);

const recover = (from: Model, perClass: number, steps: number, seed = 1): Promise<LabelledImages> =>
  recoveredImages({ model: from, subset, random: randomStream(seed) }, { perClass, steps });

test(
  "every image is answered with the class it was recovered for, where noise is not; from noise " + "of its own",
  async () => {
    const found = await recover(model, 6, 100);
    expect([...found.labels]).toEqual([0, 1, 2, 3].flatMap((label) => new Array<number>(6).fill(label)));
    expect(await accuracy(model, found)).toBe(1);
    expect(await accuracy(model, await recover(model, 6, 1))).toBeLessThan(0.8);
    const images = Array.from({ length: found.count }, (_, i) => String(imageAt(found, i)));
    expect(new Set(images).size).toBe(found.count);
    expect(copyPixels(await recover(model, 6, 3))).toEqual(copyPixels(await recover(model, 6, 3)));
    expect(copyPixels(await recover(model, 6, 3, 2))).not.toEqual(copyPixels(await recover(model, 6, 3)));
  },
);

test("more than are sought at once are recovered in parts, each from its own noise", async () => {
  const found = await recover(model, 130, 2);
  expect(found.count).toBe(520);
  const images = Array.from({ length: found.count }, (_, i) => String(imageAt(found, i)));
  expect(new Set(images).size).toBe(520);
  // The start is a normal number behind tanh, moved by two steps of 0.1: as many dark as bright pixels, and no black
  // ones.
  const levels = copyPixels(found);
  expect(levels.reduce((sum, level) => sum + level, 0) / levels.length).toBeGreaterThan(100);
});

test("neighbouring pixels come nearer to each other than in the noise that they start from", async () => {
  const roughness = (images: LabelledImages): number => {
    const levels = copyPixels(images);
    let sum = 0;
    for (let i = 1; i < levels.length; i++) if (i % 8 !== 0) sum += ((levels[i] ?? 0) - (levels[i - 1] ?? 0)) ** 2;
    return sum;
  };
  expect(roughness(await recover(model, 6, 200))).toBeLessThan(0.7 * roughness(await recover(model, 6, 1)));
});

test(
  "a model that normalises is inverted too, and its running statistics draw what it normalises " + "towards them",
  async () => {
    const normalising = await learnt(tinyModel({ batchNorm: true }), tinyImages(96), 12);
    const { graph, classifier } = imageGraph(normalising, subset.shape);
    /** How far the channel means of what is normalised lie from the running ones. */
    const gap = async (images: LabelledImages): Promise<number> => {
      const sums = new Float64Array(4);
      let positions = 0;
      await overChunks(withOutputs(graph, ["conv"]), classifier.input.name, images, {}, (values, _from, count) => {
        const { data } = floats(values, "conv");
        const size = data.length / count / 4;
        data.forEach((value, i) => {
          const channel = Math.floor(i / size) % 4;
          sums[channel] = (sums[channel] ?? 0) + value;
        });
        positions += data.length / 4;
      });
      const running = weightOf(normalising, "bn.mean");
      return Math.hypot(...sums.map((sum, channel) => sum / positions - (running[channel] ?? 0)));
    };
    const [start, found] = [await recover(normalising, 4, 1), await recover(normalising, 4, 60)];
    expect(await accuracy(normalising, found)).toBeGreaterThan(0.7);
    expect(await gap(found)).toBeLessThan(0.7 * (await gap(start)));
  },
);

test("of each class, images with more of the features that are salient in it are the normal ones", async () => {
  // The features are the pixels themselves: the first is bright throughout class 0, the last throughout class 1.
  const b = graphBuilder("pixels");
  const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 8, 8])], { axis: 1 });
  const weight = b.initializer("fc2.weight", float32([64, 4], new Float32Array(256).fill(0.01)));
  b.output(b.op("MatMul", [x, weight]), "float32", ["batch", 4]);
  const plain = decodeModel(encodeGraph(b.build()), "pixels");
  const random = randomStream(5);
  const count = 20;
  const labels = Uint16Array.from({ length: count }, (_, i) => Math.floor(i / 10));
  const bytes = Uint8Array.from({ length: count * 64 }, () => random.below(256));
  labels.forEach((label, i) => {
    // Four of 64 are salient. Odd images have less of them.
    for (let k = 0; k < 4; k++) bytes[i * 64 + (label === 0 ? k : 63 - k)] = i % 2 === 0 ? 255 : 225;
  });
  const images = { ...subset, count, labels, pixels: inMemory(bytes) };
  const { normal, marked } = await splitRecovered({ model: plain }, images);
  const parity = ({ pixels }: LabelledImages): readonly number[] =>
    pixels.kind === "picked" ? [...new Set([...pixels.indices].map((i) => i % 2))] : [];
  expect([normal.count, marked.count]).toEqual([10, 10]);
  expect(parity(normal)).toEqual([0]);
  expect(parity(marked)).toEqual([1]);
});
