/** @file Misfits of model and images end early, each with its own words. */

import { describe, expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import type { Dim } from "../onnx/graph.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { tinyModel } from "../training/testing/tiny.js";
import { requireFit } from "./fit.js";

const shape = { channels: 1, height: 8, width: 8 };
const data = { what: "the images of digits", shape, classes: 4 };

function taking(...dims: Dim[]): Model {
  const b = graphBuilder("taking");
  const x = b.op("Flatten", [b.input("image", "float32", dims)], { axis: 1 });
  b.output(b.op("MatMul", [x, b.initializer("w", float32([64, 4], new Float32Array(256)))]), "float32", ["N", 4]);
  return decodeModel(encodeGraph(b.build()), "taking");
}

test.each([
  [tinyModel()],
  [taking("N", 64)],
  [taking("N", 8, 8)],
  [taking("N", 8, 8, 1)],
  [taking("N", 1, "H", 8)],
  [taking(1, 1, 8, 8)],
])("a fit passes", (model) => {
  expect(() => requireFit(model, "m.onnx", data)).not.toThrow();
});

describe("a misfit names the model, what it takes, and what it was given", () => {
  test.each([
    [
      "another size",
      tinyModel({ side: 12 }),
      data,
      "bad-data",
      "m.onnx takes [batch,1,12,12], but the images of digits are 1×8×8",
    ],
    [
      "colour",
      tinyModel({ channels: 3 }),
      data,
      "bad-data",
      "m.onnx takes [batch,3,8,8], but the images of digits are 1×8×8",
    ],
    [
      "other classes",
      tinyModel({ classes: 3 }),
      data,
      "bad-data",
      "m.onnx tells 3 classes apart, but the images of digits have 4",
    ],
    [
      "a key of another size",
      tinyModel({ side: 12 }),
      { ...data, what: "the key k.safetensors", code: "bad-key" },
      "bad-key",
      "but the key k.safetensors holds images of 1×8×8",
    ],
    [
      "a key for other classes",
      tinyModel({ classes: 3 }),
      { ...data, what: "the key k.safetensors", code: "bad-key" },
      "bad-key",
      "but the key k.safetensors was made for 4",
    ],
  ] as const)("%s", (_, model, fitting, code, says) => {
    expect(() => requireFit(model, "m.onnx", fitting)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(says), hint: expect.any(String) }),
    );
  });
});
