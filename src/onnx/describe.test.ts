import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { float32, int64 } from "../core/tensor.js";
import { graphBuilder } from "./builder.js";
import { describeModel } from "./describe.js";
import { encodeGraph } from "./encode.js";
import { decodeModel } from "./model.js";

test("counts operators and parameters, and names the weights", () => {
  const b = graphBuilder("g");
  const x = b.input("x", "float32", ["N", 1, 2, 2]);
  const flat = b.op("Relu", [b.op("Reshape", [b.op("Relu", [x]), b.initializer("s", int64([2], [-1, 4]))])]);
  const gemm = b.op("Gemm", [flat, b.initializer("w", float32([4, 2], new Float32Array(8))), b.scalar(1)]);
  b.output(b.op("Softmax", [gemm], {}, { name: "y" }), "float32", ["N", 2]);
  const description = describeModel(decodeModel(encodeGraph(b.build(), { properties: { k: "v" } }), "m.onnx"));
  expect(description).toMatchObject({
    opsets: { "": 21 },
    preprocessing: { layout: "NCHW", from: { layout: "assumed" } },
    operators: [
      { operator: "Relu", count: 2 },
      { operator: "Gemm", count: 1 },
      { operator: "Reshape", count: 1 },
      { operator: "Softmax", count: 1 },
    ],
    parameters: 9,
    trainable: [
      { name: "w", dims: [4, 2] },
      { name: "scalar", dims: [] },
    ],
    trainableParameters: 9,
    classifier: { logits: "Gemm", features: "Relu_1", output: "y", classes: 2 },
    problem: undefined,
    metadata: { k: "v" },
  });
});

test("a model that is no classifier is described too, with the reason", () => {
  const b = graphBuilder("g");
  b.output(b.op("Relu", [b.input("x", "float32", ["N", 4])], {}, { name: "y" }), "float32", ["N", 4]);
  const description = describeModel(decodeModel(encodeGraph(b.build()), "m.onnx"));
  expect(description.classifier).toBeUndefined();
  expect(description.problem).toMatch(/no float32 weight leads to its scores/);
  expect(description.trainable).toEqual([]);
});

const folder = process.env.WILDMARK_MODELS ?? "";
const models = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".onnx")) : [];

test.skipIf(models.length === 0).each(models)(
  "%s is a classifier of ten classes, all of whose weights are found",
  (file) => {
    const description = describeModel(decodeModel(readFileSync(join(folder, file)), file));
    expect(description.problem).toBeUndefined();
    const { classifier, trainableParameters, parameters } = description;
    expect(classifier?.classes).toBe(10);
    expect(classifier?.note).toBeUndefined();
    expect(classifier?.lastLayer).toHaveLength(2);
    expect(classifier?.features).not.toBe(classifier?.logits);
    expect(trainableParameters).toBe(parameters);
  },
);
