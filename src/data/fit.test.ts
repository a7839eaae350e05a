/** @file Misfits of model and images end early, each with its own words. */

import { describe, expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import type { Dim } from "../onnx/graph.js";
import { decodeModel, type Model, withHead } from "../onnx/model.js";
import { tinyModel } from "../training/testing/tiny.js";
import { requireAskable, requireFit } from "./fit.js";

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

describe("a model that is only asked", () => {
  const key = { what: "the key k.safetensors", shape, classes: 4, code: "bad-key" } as const;
  /** Two outputs of scores, fed with doubles. */
  const disguised = (): Model => {
    const b = graphBuilder("disguised");
    const flat = b.op("Flatten", [b.op("Cast", [b.input("image", "float64", ["N", 3, 16, 16])], { to: 1 })], {
      axis: 1,
    });
    const z = b.op(
      "MatMul",
      [flat, b.initializer("w", float32([768, 5], new Float32Array(768 * 5)))],
      {},
      { name: "z" },
    );
    b.output(z, "float32", ["N", 5]);
    b.output(b.op("Softmax", [z], {}, { name: "p" }), "float32", ["N", 5]);
    return decodeModel(encodeGraph(b.build()), "disguised");
  };

  test("that fits is asked without a word", () => {
    expect(requireAskable(tinyModel(), "m.onnx", key)).toEqual([]);
    expect(requireAskable(taking(1, 1, 8, 8), "m.onnx", data, { exactly: true })).toEqual([]);
  });

  test("says what is done so that it can be asked", () => {
    expect(requireAskable(tinyModel({ side: 12 }), "m.onnx", key)).toEqual([
      "Images are resized from 8×8 to 12×12, as m.onnx takes them.",
    ]);
    expect(requireAskable(tinyModel({ classes: 5 }), "m.onnx", key)).toEqual([
      "m.onnx tells 5 classes apart, the key k.safetensors was made for 4: what it answers beyond is wrong.",
    ]);
    expect(requireAskable(disguised(), "m.onnx", key)).toEqual([
      "Images are resized from 8×8 to 16×16, given in three equal colours, given as float64, as m.onnx takes them.",
      'm.onnx has 2 outputs that may be scores; "z" is asked (--output names another).',
      "m.onnx tells 5 classes apart, the key k.safetensors was made for 4: what it answers beyond is wrong.",
    ]);
    const chosen = withHead(disguised(), { output: "p", classes: [0, 1, 2, 3] });
    expect(requireAskable(chosen, "m.onnx", key).slice(1)).toEqual([]);
  });

  test("is held to images and classes where it is measured exactly", () => {
    const exactly = { exactly: true } as const;
    expect(() => requireAskable(disguised(), "m.onnx", data, exactly)).toThrow(
      /takes \[N,3,16,16\], but the images of digits/,
    );
    expect(() => requireAskable(tinyModel({ classes: 5 }), "m.onnx", data, exactly)).toThrow(
      expect.objectContaining({ code: "bad-data", hint: expect.stringMatching(/--classes/) }),
    );
    const some = withHead(tinyModel({ classes: 5 }), { classes: [4, 3, 2, 1] });
    expect(requireAskable(some, "m.onnx", data, exactly)).toEqual([]);
  });

  test("is refused, by name, where it cannot be asked at all", () => {
    const b = graphBuilder("two");
    const x = b.op("Add", [b.input("a", "float32", ["N", 4]), b.input("b", "float32", ["N", 4])]);
    b.output(b.op("Relu", [x]), "float32", ["N", 4]);
    expect(() => requireAskable(decodeModel(encodeGraph(b.build()), "two"), "m.onnx", key)).toThrow(
      /^m\.onnx: The model cannot be asked for the class of an image: it has 2 inputs/,
    );
    expect(() => requireAskable(withHead(tinyModel(), { classes: [3, 4] }), "m.onnx", key)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringMatching(/^m\.onnx: --classes names class 4/) }),
    );
  });
});
