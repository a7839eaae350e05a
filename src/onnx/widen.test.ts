/** @file Models of 16-bit floats compute in float32 what they computed before. */

import { expect, test } from "vitest";
import { float32, type Tensor } from "../core/tensor.js";
import { createSession } from "../runtime/session.js";
import { graphBuilder } from "./builder.js";
import { findClassifier } from "./classifier.js";
import { encodeGraph } from "./encode.js";
import { decodeModel, encodeModel } from "./model.js";
import { fromFloat16 } from "./widen.js";

test("binary16: signs, subnormal numbers, the largest, infinities, NaN", () => {
  expect([0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x7c00, 0xfc00].map(fromFloat16)).toEqual([
    ...[1, -2, 2 ** -24, 1023 * 2 ** -24, 65504],
    ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ]);
  expect(fromFloat16(0x8000)).toBe(-0);
  expect(fromFloat16(0x7e00)).toBeNaN();
});

/** 1, -2, 0.5, 4 */
const HALVES: Tensor = { type: "float16", dims: [2, 2], data: Uint16Array.of(0x3c00, 0xc000, 0x3800, 0x4400) };

async function scores(bytes: Uint8Array, x: Tensor): Promise<number[]> {
  const session = await createSession(bytes);
  const y = (await session.run(new Map([["x", x]]))).get("y");
  await session.release();
  return Array.from(y?.data ?? [], Number);
}

test("float16 throughout: inputs, outputs, weights, constants and casts", async () => {
  const b = graphBuilder("half");
  const x = b.input("x", "float16", ["N", 2]);
  const held = b.op("Constant", [], { value: { kind: "tensor", value: HALVES } });
  const wide = b.op("Cast", [b.op("MatMul", [x, held])], { to: 1 });
  const narrow = b.op("Cast", [b.op("Relu", [wide])], { to: 10 });
  b.output(b.op("MatMul", [narrow, b.initializer("w", HALVES)], {}, { name: "y" }), "float16", ["N", 2]);
  const model = decodeModel(encodeGraph(b.build()), "half.onnx");
  expect(model.notes).toEqual([expect.stringMatching(/half\.onnx holds 16-bit floats/)]);
  expect(findClassifier(model.graph)).toMatchObject({ input: { type: "float32" }, trainable: ["Constant", "w"] });
  // [1, 1] · [[1, -2], [0.5, 4]] = [1.5, 2]; again: [1.5 + 1, -3 + 8]
  expect(await scores(encodeModel(model), float32([1, 2], [1, 1]))).toEqual([2.5, 5]);
});

test("bfloat16 is the upper half of a float32; a model without either is left as it is", () => {
  const b = graphBuilder("brain");
  const x = b.input("x", "float32", ["N", 2]);
  const stored: Tensor = { type: "bfloat16", dims: [2, 2], data: Uint16Array.of(0x3f80, 0xc000, 0x3f00, 0x4080) };
  b.output(b.op("MatMul", [x, b.op("Cast", [b.initializer("w", stored)], { to: 1 })], {}, { name: "y" }), "float32", [
    "N",
    2,
  ]);
  const model = decodeModel(encodeGraph(b.build()), "brain.onnx");
  expect(model.graph.initializers.get("w")).toEqual(float32([2, 2], [1, -2, 0.5, 4]));
  expect(findClassifier(model.graph).trainable).toEqual(["w"]);
  expect(decodeModel(encodeModel(model), "again").notes).toEqual([]);
});
