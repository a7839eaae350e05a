import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "./builder.js";
import { storedBefore } from "./train-from.js";

test("what a node is computed from is frozen, its own weight and what comes after is not", () => {
  const b = graphBuilder("chain");
  const square = (name: string): string => b.initializer(name, float32([2, 2], [1, 2, 3, 4]));
  const shared = square("shared");
  const first = b.op("MatMul", [b.input("x", "float32", ["N", 2]), square("first")]);
  const second = b.op(
    "MatMul",
    [b.op("MatMul", [first, shared]), b.op("Transpose", [square("second")])],
    {},
    { name: "here" },
  );
  b.output(b.op("MatMul", [b.op("MatMul", [second, square("third")]), shared]));
  const graph = b.build();
  expect([...storedBefore(graph, "here")].sort()).toEqual(["first", "shared"]);
  expect(() => storedBefore(graph, "nowhere")).toThrow(expect.objectContaining({ code: "usage" }));
});
