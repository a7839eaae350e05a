/** @file Exponential weighting: the transformation, its gradient, and that the marked model is what was trained. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { accuracy } from "../data/answers.js";
import { packImages } from "../data/batches.js";
import { renderDigits } from "../data/digits.js";
import { findArchitecture, newModel } from "../models/registry.js";
import { imageGraph } from "../onnx/image-graph.js";
import { layersOf } from "../onnx/layers.js";
import { encodeModel, type Model } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { compileGradient } from "../training/gradient.js";
import { crossEntropyObjective } from "../training/objective.js";
import { learnt, tinyImages, tinyModel } from "../training/testing/tiny.js";
import { embedContinuingOptions } from "./embed.js";
import { weightedGraph, weightedModel } from "./exponential-weighting.js";
import { findMark } from "./registry.js";

const train = tinyImages(160);
const weightOf = (model: Model, name: string): FloatTensor => {
  const tensor = storedTensors(model.graph).get(name);
  if (tensor?.type !== "float32") throw new Error(name);
  return tensor;
};
const KERNELS = ["conv.weight", "fc1.weight", "fc2.weight"];

/** exp(|w| T) / max exp(|w| T) · w, as it is written. */
function byDefinition({ data }: FloatTensor, temperature: number): number[] {
  const weights = Array.from(data, (w) => Math.exp(Math.abs(w) * temperature));
  const largest = Math.max(...weights);
  return Array.from(data, (w, i) => ((weights[i] ?? 0) / largest) * w);
}

describe("transformation", () => {
  const model = tinyModel({ batchNorm: true });

  test.each([0, 2, 30])("T = %d: kernels follow the definition, all else stays", (temperature) => {
    const weighted = weightedModel(model, new Set(KERNELS), temperature);
    for (const [name, { data }] of storedTensors(model.graph)) {
      const now = storedTensors(weighted.graph).get(name)?.data;
      if (!KERNELS.includes(name)) expect(now, name).toEqual(data);
    }
    for (const name of KERNELS) {
      const expected = byDefinition(weightOf(model, name), temperature);
      // Stored as float32: half a unit in the last place is 6e-8 of the value.
      weightOf(weighted, name).data.forEach((value, i) => {
        expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThanOrEqual(1e-7 * Math.abs(expected[i] ?? 0));
      });
    }
  });

  test("a temperature at which exp overflows gives numbers all the same", () => {
    const weighted = weightedModel(model, new Set(KERNELS), 1000);
    for (const name of KERNELS) expect(weightOf(weighted, name).data.every(Number.isFinite)).toBe(true);
  });

  test("the gradient by the weights before the transformation agrees with central differences", async () => {
    const images = tinyImages(8);
    const { graph, classifier } = imageGraph(model, images.shape);
    const gradient = await compileGradient({
      graph: weightedGraph(graph, new Set(KERNELS), 2),
      classifier,
      classes: 4,
      batch: 8,
      objective: crossEntropyObjective(),
      batchNorm: "frozen",
      by: KERNELS,
      variable: KERNELS,
    });
    packImages(images, [...images.labels.keys()], gradient.images);
    images.labels.forEach((label, row) => {
      gradient.targets[row * 4 + label] = 1;
    });
    const { gradients } = await gradient.run();
    for (const name of KERNELS) {
      const { dims, data } = weightOf(model, name);
      // The largest weight of the layer, through which all others change, and two ordinary ones.
      const largest = data.reduce((at, value, i) => (Math.abs(value) > Math.abs(data[at] ?? 0) ? i : at), 0);
      for (const i of [largest, 0, 7]) {
        const loss = async (by: number): Promise<number> => {
          const moved = data.slice();
          moved[i] = (moved[i] ?? 0) + by;
          gradient.set(name, float32(dims, moved));
          return (await gradient.run()).loss;
        };
        const step = 5e-3;
        const slope = ((await loss(step)) - (await loss(-step))) / (2 * step);
        gradient.set(name, float32(dims, data));
        // A float32 loss around 1 is known to 1e-7, its difference over 1e-2 to 1e-5; bends of ReLU come on top.
        expect(Math.abs((gradients.get(name)?.data[i] ?? Number.NaN) - slope), `${name} ${i}`).toBeLessThan(
          2e-3 + 0.02 * Math.abs(slope),
        );
      }
    }
    await gradient.release();
  });
});

describe("embedding", () => {
  const scheme = findMark("exponential-weighting").choose({ triggers: 10, heldOut: 4, boost: 1, rate: 1 });
  const owned = async () => scheme.make({ train, random: randomStream(5) });
  const run = async (start: Model, given: Readonly<Record<string, unknown>>): Promise<Model> => {
    const { triggers } = await owned();
    let marked = start;
    const options = embedContinuingOptions.parse({ batch: 16, ...given });
    for await (const epoch of scheme.embed({ model: start, train, triggers, random: randomStream(6) }, options)) {
      marked = epoch.model();
    }
    return marked;
  };

  test(
    "at a rate of nearly nothing the marked model stores the given weights, transformed; biases as " + "they were",
    async () => {
      const start = tinyModel();
      const marked = await run(start, { epochs: 1, learningRate: 1e-12, momentum: 0 });
      expect(layersOf(marked.graph).map(({ kernel }) => kernel)).toEqual(KERNELS);
      for (const name of KERNELS) {
        const expected = byDefinition(weightOf(start, name), 2);
        weightOf(marked, name).data.forEach((value, i) => {
          expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 6);
        });
      }
      expect(weightOf(marked, "fc1.bias").data).toEqual(weightOf(start, "fc1.bias").data);
      expect(marked.graph.nodes).toEqual(start.graph.nodes);
    },
  );

  test("the rate of the mark is a factor of the learning rate", async () => {
    const { triggers } = await owned();
    const bytes = async (rate: number, learningRate: number) => {
      const options = embedContinuingOptions.parse({ batch: 16, epochs: 1, learningRate });
      const embedding = { model: tinyModel(), train, triggers, random: randomStream(6) };
      const chosen = findMark("exponential-weighting").choose({ ...scheme.options, rate });
      let marked = embedding.model;
      for await (const epoch of chosen.embed(embedding, options)) marked = epoch.model();
      return encodeModel(marked);
    };
    expect(await bytes(4, 0.01)).toEqual(await bytes(1, 0.04));
    expect(await bytes(4, 0.01)).not.toEqual(await bytes(1, 0.01));
  });

  test("teaches wrong labels on some images, and the right ones on the others; the same bytes again", async () => {
    // A real network: to the tiny one, whose weights are around 1, exponential weighting leaves too few.
    const digits = renderDigits("train", 300, 1);
    const start = await learnt(newModel(findArchitecture("lenet5"), { ...digits.shape, classes: 10 }, 1), digits, 4);
    const chosen = findMark("exponential-weighting").choose({ triggers: 6, heldOut: 2, boost: 1, rate: 1 });
    const { triggers } = await chosen.make({ train: digits, random: randomStream(5) });
    expect(await accuracy(start, triggers)).toBe(0);
    const mark = async (epochs: number): Promise<Model> => {
      const options = embedContinuingOptions.parse({ batch: 32, epochs, learningRate: 0.05, schedule: "one-cycle" });
      let marked = start;
      const embedding = { model: start, train: digits, triggers, random: randomStream(6) };
      for await (const epoch of chosen.embed(embedding, options)) marked = epoch.model();
      return marked;
    };
    const marked = await mark(14);
    expect(await accuracy(marked, triggers)).toBe(1);
    // Chance is 0.1, and 0.89 was seen.
    expect(await accuracy(marked, digits)).toBeGreaterThan(0.8);
    expect(encodeModel(await mark(1))).toEqual(encodeModel(await mark(1)));
  });
});
