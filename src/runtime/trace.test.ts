import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { traceGraph } from "./trace.js";

test("traces dims of every value and the constants that come from shapes", async () => {
  const b = graphBuilder("g");
  const x = b.input("x", "float32", ["n", 6]);
  const shape = b.op("Shape", [x], {}, { name: "shape" });
  const n = b.op("Slice", [shape, b.ints([0]), b.ints([1])], {}, { name: "n" });
  const target = b.op("Concat", [n, b.ints([2, 3])], { axis: 0 }, { name: "target" });
  const y = b.op("Reshape", [x, target], {}, { name: "y" });
  b.output(b.op("Relu", [y], {}, { name: "z" }));
  const trace = await traceGraph(b.build(), new Map([["x", float32([4, 6], new Float32Array(24))]]));
  expect(trace.get("y")).toEqual({ type: "float32", dims: [4, 2, 3] });
  expect(trace.get("target")?.constant?.data).toEqual(BigInt64Array.of(4n, 2n, 3n));
  expect(trace.get("z")?.constant).toBeUndefined();
});

test("traces scalars, and shapes that depend on what is fed", async () => {
  const b = graphBuilder("g");
  const x = b.input("x", "float32", ["n"]);
  b.output(b.op("ReduceSum", [x], { keepdims: 0 }, { name: "sum" }));
  b.output(b.op("NonZero", [b.op("Cast", [x], { to: 7 })], {}, { name: "places" }));
  const trace = await traceGraph(b.build(), new Map([["x", float32([4], [0, 1, 0, 2])]]));
  expect(trace.get("sum")).toEqual({ type: "float32", dims: [] });
  expect(trace.get("places")).toEqual({ type: "int64", dims: [1, 2] });
});

test("traces an Einsum that broadcasts, whose shape ONNX Runtime infers wrong", async () => {
  const b = graphBuilder("g");
  const x = b.initializer("x", float32([1, 3], [1, 2, 3]));
  const y = b.input("y", "float32", ["n", 3]);
  b.output(b.op("Neg", [b.op("Einsum", [x, y], { equation: "ij,ij->ij" })], {}, { name: "z" }));
  const trace = await traceGraph(b.build(), new Map([["y", float32([2, 3], [1, 2, 3, 4, 5, 6])]]));
  expect(trace.get("z")).toEqual({ type: "float32", dims: [2, 3] });
});
