/** @file Layers and their axes of units, in the forms that exporters give them. */

import { expect, test } from "vitest";
import { float32, int64 } from "../core/tensor.js";
import { findArchitecture, newModel } from "../models/registry.js";
import { graphBuilder } from "./builder.js";
import { layersOf } from "./layers.js";

const zeros = (...dims: number[]) => float32(dims, new Float32Array(dims.reduce((product, dim) => product * dim, 1)));

test("the layers of built-in architectures, in graph order", () => {
  const image = { channels: 1, height: 28, width: 28, classes: 10 };
  const { graph } = newModel(findArchitecture("lenet5"), image, 0);
  expect(layersOf(graph).map(({ kind, kernel, unitAxis, bias }) => [kind, kernel, unitAxis, bias])).toEqual([
    ["convolution", "conv1.weight", 0, "conv1.bias"],
    ["convolution", "conv2.weight", 0, "conv2.bias"],
    ["dense", "fc1.weight", 0, "fc1.bias"],
    ["dense", "fc2.weight", 0, "fc2.bias"],
    ["dense", "fc3.weight", 0, "fc3.bias"],
  ]);
  const residual = newModel(findArchitecture("resnet18-4"), { ...image, channels: 3, height: 32, width: 32 }, 0);
  expect(layersOf(residual.graph).filter(({ kind }) => kind === "convolution").length).toBe(20);
});

test("the axis of units is that of the stored tensor, through views that do not hide it", () => {
  const b = graphBuilder("forms");
  const x = b.input("x", "float32", ["batch", 6]);
  const stored = (name: string, ...dims: number[]): string => b.initializer(name, zeros(...dims));
  b.op("Gemm", [x, stored("untransposed", 6, 4)]);
  b.op("MatMul", [x, stored("plain", 6, 4)]);
  b.op("MatMul", [x, b.op("Transpose", [stored("transposed", 4, 6)], { perm: [1, 0] })]);
  const shape = b.initializer("shape", int64([2], [6, 4]));
  b.op("MatMul", [x, b.op("Reshape", [stored("reshaped", 2, 3, 4), shape])]);
  b.op("MatMul", [x, x]);
  const image = b.input("image", "float32", ["batch", 4, 8, 8]);
  b.op("ConvTranspose", [image, stored("up", 4, 2, 3, 3)]);
  b.op("ConvTranspose", [image, stored("grouped", 4, 2, 3, 3)], { group: 2 });
  b.op("Conv", [image, stored("depthwise", 4, 1, 3, 3)], { group: 4 });
  expect(layersOf(b.build()).map(({ kernel, unitAxis }) => [kernel, unitAxis])).toEqual([
    ["untransposed", 1],
    ["plain", 1],
    ["transposed", 0],
    ["reshaped", undefined],
    ["up", 1],
    ["grouped", undefined],
    ["depthwise", 0],
  ]);
});
