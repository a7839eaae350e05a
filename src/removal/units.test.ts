/** @file Units of hidden layers: which tensors they are made of, and that zeros there silence them. */

import { describe, expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { accuracy, answers } from "../data/answers.js";
import { findArchitecture, newModel } from "../models/registry.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { imageGraph } from "../onnx/image-graph.js";
import { layersOf } from "../onnx/layers.js";
import { decodeModel, type Model, withWeights } from "../onnx/model.js";
import { storedBefore } from "../onnx/train-from.js";
import { storedTensors } from "../onnx/traverse.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { openDormancy } from "./dormancy.js";
import { type UnitLayer, unitLayers, unitMask, withoutUnits } from "./units.js";

const grey = { channels: 1, height: 8, width: 8 };
const layersIn = (model: Model, shape = grey, from?: string): readonly UnitLayer[] => {
  const { graph, classifier } = imageGraph(model, shape);
  return unitLayers(graph, classifier, storedBefore(graph, from));
};
const namesOf = (layer: UnitLayer | undefined): readonly string[] => layer?.tensors.map(({ name }) => name) ?? [];

function built(scores: (b: GraphBuilder, image: string) => string): Model {
  const b = graphBuilder("built");
  b.output(scores(b, b.input("image", "float32", ["batch", 1, 8, 8])), "float32", ["batch", 4]);
  return decodeModel(encodeGraph(b.build()), "built");
}

const drawn = (...dims: number[]) => {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return float32(
    dims,
    Float32Array.from({ length: count }, (_, i) => Math.sin(1 + i * 12.9898)),
  );
};

/** Flatten, MatMul, Add, Relu, twice: a perceptron as many exporters write it. */
const perceptron = built((b, image) => {
  const dense = (x: string, name: string, inputs: number, outputs: number): string => {
    const product = b.op("MatMul", [x, b.initializer(`${name}.weight`, drawn(inputs, outputs))]);
    return b.op("Add", [product, b.initializer(`${name}.bias`, drawn(outputs))]);
  };
  const hidden = b.op("Relu", [dense(b.op("Flatten", [image], { axis: 1 }), "hidden", 64, 10)]);
  return dense(hidden, "scores", 10, 4);
});

describe("hidden layers", () => {
  test("convolutions and dense layers but the last, with their biases, up to the activation", () => {
    const [conv, fc1, ...others] = layersIn(tinyModel());
    expect(others).toEqual([]);
    expect(conv).toMatchObject({ kind: "convolution", units: 4, weight: { name: "conv.weight", axis: 0 }, inner: 2 });
    expect(fc1).toMatchObject({ kind: "dense", units: 12, bias: { name: "fc1.bias", axis: 0 }, unitsLast: true });
    expect(conv?.activation).not.toBe(conv?.value);
  });

  test("a normalisation belongs to the units it normalises, and is what scales them", () => {
    const [conv] = layersIn(tinyModel({ batchNorm: true }));
    expect(namesOf(conv)).toEqual(["conv.weight", "conv.bias", "bn.scale", "bn.shift"]);
    expect(conv).toMatchObject({ weight: { name: "bn.scale" }, bias: { name: "bn.shift" } });
  });

  test("in a residual block the activation is taken behind the sum", () => {
    const image = { channels: 1, height: 8, width: 8 };
    const layers = layersIn(newModel(findArchitecture("resnet18-4"), { ...image, classes: 4 }, 0), image);
    expect(layers.length).toBe(20);
    expect(layers.every(({ tensors }) => tensors.length === 3)).toBe(true);
    const last = layers.at(-1);
    expect(last?.units).toBe(32);
    expect(last?.value).toContain("bn2");
    expect(last?.activation).toMatch(/^Relu/);
  });

  test("a bias added by a node of its own is one, and units may lie on the kernel's last axis", () => {
    const [hidden, ...others] = layersIn(perceptron);
    expect(others).toEqual([]);
    expect(hidden?.tensors).toEqual([
      { name: "hidden.weight", axis: 1 },
      { name: "hidden.bias", axis: 0 },
    ]);
  });

  test("where nothing before the last layer may change, its inputs are the units", () => {
    expect(layersIn(tinyModel(), grey, "fc2")).toMatchObject([
      { kind: "inputs", units: 12, tensors: [{ name: "fc2.weight", axis: 1 }] },
    ]);
    expect(layersIn(tinyModel(), grey, "fc1").map(({ kind, units }) => [kind, units])).toEqual([["dense", 12]]);
  });
});

/** With longer kernels, so that fresh weights do not answer the same class to everything. */
function loud(model: Model): Model {
  const stored = storedTensors(model.graph);
  const longer = layersOf(model.graph).flatMap(({ kernel }) => {
    const tensor = stored.get(kernel);
    return tensor?.type === "float32"
      ? [
          [
            kernel,
            float32(
              tensor.dims,
              tensor.data.map((value) => 5 * value),
            ),
          ] as const,
        ]
      : [];
  });
  return withWeights(model, new Map(longer));
}

test("zeros in the place of units, along any axis", () => {
  const tensor = float32([2, 3], [1, 2, 3, 4, 5, 6]);
  expect([...withoutUnits(tensor, 1, new Set([0, 2])).data]).toEqual([0, 2, 0, 0, 5, 0]);
  expect([...withoutUnits(tensor, 0, new Set([1])).data]).toEqual([1, 2, 3, 0, 0, 0]);
  expect(unitMask([2, 3], 1, new Set([1]))).toEqual(float32([1, 3], [1, 0, 1]));
});

describe.each([
  ["a dense layer", loud(tinyModel()), undefined],
  ["a normalised convolution", loud(tinyModel({ batchNorm: true })), "conv"],
  [
    "the end of a residual block",
    loud(newModel(findArchitecture("resnet18-4"), { ...grey, classes: 4 }, 0)),
    undefined,
  ],
  ["a perceptron", perceptron, undefined],
  ["the last layer's inputs", loud(tinyModel()), "fc2"],
] as const)("without units of %s", (_, model, from) => {
  test("what comes after the layer answers as the whole model with zeros in its weights", async () => {
    const images = tinyImages(300, { seed: 5 });
    const watched = { ...images, labels: await answers(model, images) };
    const layers = layersIn(model, grey, from);
    const layer = from === "conv" ? layers[0] : layers.at(-1);
    if (layer === undefined) throw new Error("no layer");
    const dormancy = await openDormancy({ model }, layer, { seen: tinyImages(20), watched });
    const found: number[] = [];
    for (const gone of [[], [0], [1, 2], Array.from({ length: layer.units }, (_unit, i) => i)].map((l) => new Set(l))) {
      const stored = storedTensors(model.graph);
      const weights = layer.tensors.map(({ name, axis }) => {
        const tensor = stored.get(name);
        if (tensor?.type !== "float32") throw new Error(name);
        return [name, withoutUnits(tensor, axis, gone)] as const;
      });
      const expected = await accuracy(withWeights(model, new Map(weights)), watched);
      // The same sums in another order may turn a tie: one image in 300.
      expect(Math.abs((await dormancy.accuracyWithout(gone)) - expected)).toBeLessThanOrEqual(1 / 300);
      found.push(expected);
    }
    expect(new Set(found).size).toBeGreaterThan(1);
    expect(dormancy.activations.every((value) => value >= 0)).toBe(true);
    await dormancy.release();
  });
});
