/** @file Re-initialised weights: within PyTorch's bounds, by role, from a stream of their own. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { findClassifier } from "../onnx/classifier.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, encodeModel, type Model } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { tinyModel } from "../training/testing/tiny.js";
import { redrawn } from "./redraw.js";

const valuesOf = (model: Model, name: string): readonly number[] => [
  ...((storedTensors(model.graph).get(name) as FloatTensor | undefined)?.data ?? []),
];

function expectUniform(values: readonly number[], bound: number): void {
  const largest = Math.max(...values.map(Math.abs));
  expect(largest).toBeLessThanOrEqual(bound);
  // The largest of dozens of uniform draws falls short of this once in a thousand at most.
  expect(largest).toBeGreaterThan(0.7 * bound);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan((4 * bound) / Math.sqrt(3 * values.length));
}

describe("a network as PyTorch draws it", () => {
  const model = tinyModel({ batchNorm: true });
  const { trainable, statistics } = findClassifier(model.graph);
  const fresh = redrawn(model, [...trainable, ...statistics], randomStream(3));

  test("kernels and matrices are uniform in ±1/√fan_in", () => {
    expectUniform(valuesOf(fresh, "conv.weight"), 1 / 3);
    expectUniform(valuesOf(fresh, "fc1.weight"), 1 / 4);
    expectUniform(valuesOf(fresh, "fc2.weight"), 1 / Math.sqrt(12));
  });

  test("what lies before the node where training starts keeps its values", () => {
    const part = redrawn(model, [...trainable, ...statistics], randomStream(3), "fc2");
    const kept = [...trainable, ...statistics].filter((name) => !name.startsWith("fc2"));
    for (const name of kept) expect(valuesOf(part, name), name).toEqual(valuesOf(model, name));
    expect(valuesOf(part, "fc2.weight")).toEqual(valuesOf(fresh, "fc2.weight"));
  });

  test("biases and means are 0, scales and variances 1", () => {
    for (const name of ["conv.bias", "bn.shift", "bn.mean", "fc1.bias", "fc2.bias"]) {
      expect(new Set(valuesOf(fresh, name)), name).toEqual(new Set([0]));
    }
    for (const name of ["bn.scale", "bn.variance"]) expect(new Set(valuesOf(fresh, name)), name).toEqual(new Set([1]));
  });

  test("tensors that are not named stay, and a tensor's values do not depend on what else is named", () => {
    const one = redrawn(model, ["fc2.weight"], randomStream(3));
    expect(valuesOf(one, "fc2.weight")).toEqual(valuesOf(fresh, "fc2.weight"));
    expect(valuesOf(one, "fc1.weight")).toEqual(valuesOf(model, "fc1.weight"));
  });

  test("same seed, same bytes; other seed, other bytes", () => {
    const bytes = (seed: number): Uint8Array => encodeModel(redrawn(model, trainable, randomStream(seed)));
    expect(bytes(1)).toEqual(bytes(1));
    expect(bytes(1)).not.toEqual(bytes(2));
  });
});

describe("other ways to write a layer", () => {
  /** [rows, 6] → [rows, 40]. */
  function layer(build: (b: GraphBuilder, x: string) => string): Model {
    const b = graphBuilder("layer");
    const x = b.input("x", "float32", ["batch", 6]);
    b.output(build(b, x), "float32", ["batch", 40]);
    return decodeModel(encodeGraph(b.build()), "layer");
  }
  const ones = (...dims: number[]): FloatTensor =>
    float32(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5));
  const redraw = (model: Model, ...names: string[]): Model => redrawn(model, names, randomStream(1));

  test("a matrix on the right: fan_in is its first axis", () => {
    const model = layer((b, x) => b.op("MatMul", [x, b.initializer("w", ones(6, 40))]));
    expectUniform(valuesOf(redraw(model, "w"), "w"), 1 / Math.sqrt(6));
  });

  test("a matrix stored transposed and turned on the way: fan_in is its second axis", () => {
    const model = layer((b, x) =>
      b.op("MatMul", [x, b.op("Transpose", [b.initializer("w", ones(40, 6))], { perm: [1, 0] })]),
    );
    expectUniform(valuesOf(redraw(model, "w"), "w"), 1 / Math.sqrt(6));
  });

  test("a matrix in a Constant node is redrawn too", () => {
    const model = layer((b, x) => {
      const value = { kind: "tensor", value: ones(6, 40) } as const;
      b.append({ name: "", opType: "Constant", domain: "", inputs: [], outputs: ["w"], attributes: { value } });
      return b.op("MatMul", [x, "w"]);
    });
    expectUniform(valuesOf(redraw(model, "w"), "w"), 1 / Math.sqrt(6));
  });

  test("biases of two axes are 0, factors and divisors 1", () => {
    const model = layer((b, x) => {
      const y = b.op("Gemm", [x, b.initializer("w", ones(6, 40)), b.initializer("bias", ones(1, 40))]);
      const z = b.op("Add", [y, b.initializer("shift", ones(1, 40))]);
      return b.op("Div", [b.op("Mul", [z, b.initializer("factor", ones(40))]), b.initializer("divisor", ones(1, 40))]);
    });
    const fresh = redraw(model, "bias", "shift", "factor", "divisor");
    for (const name of ["bias", "shift"]) expect(new Set(valuesOf(fresh, name)), name).toEqual(new Set([0]));
    for (const name of ["factor", "divisor"]) expect(new Set(valuesOf(fresh, name)), name).toEqual(new Set([1]));
  });
});
