/** @file A value may be written over an input only where everything that reads the input is needed for the value. */

import { expect, test } from "vitest";
import { graphBuilder } from "../onnx/builder.js";
import { mayReplace } from "./in-place.js";

test("an average that is read once may, weights that others read or that the last node reads may not", () => {
  const b = graphBuilder("step");
  const [weight, average, gradient] = ["weight", "average", "gradient"].map((name) => b.input(name, "float32", [2]));
  const moved = b.op("Add", [b.op("Mul", [average ?? "", b.scalar(0.9)]), gradient ?? ""]);
  const updated = b.op("Sub", [weight ?? "", moved]);
  const elsewhere = b.op("Neg", [average ?? ""]);
  for (const output of [moved, updated]) b.output(output, "float32", [2]);
  const graph = b.build();
  const without = { ...graph, nodes: graph.nodes.filter(({ outputs }) => !outputs.includes(elsewhere)) };
  expect(mayReplace(without, "average", moved)).toBe(true);
  expect(mayReplace(graph, "average", moved)).toBe(false); // Neg may run after Add
  expect(mayReplace(without, "weight", updated)).toBe(false);
  expect(mayReplace(without, "average", "average")).toBe(false);
  expect(
    mayReplace(
      { ...without, outputs: [...without.outputs, { name: "average", type: "float32", dims: [2] }] },
      "average",
      moved,
    ),
  ).toBe(false);
});

test("an input that another name may share memory with may not", () => {
  const b = graphBuilder("step");
  const average = b.input("average", "float32", [2]);
  const moved = b.op("Add", [b.op("Identity", [average]), b.scalar(1)]);
  b.output(moved, "float32", [2]);
  expect(mayReplace(b.build(), "average", moved)).toBe(false);
});
