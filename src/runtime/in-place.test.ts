/** @file A value may be written over an input only where everything that reads the input is needed for the value. */

import { expect, test } from "vitest";
import { graphBuilder } from "../onnx/builder.js";
import { mayReplace } from "./in-place.js";

test("an average that is read once may, one that others read may not, nor what is an output itself", () => {
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
  expect(mayReplace(without, "weight", updated)).toBe(true); // Sub reads each element where it writes it
  expect(mayReplace(without, "average", "average")).toBe(false);
  expect(
    mayReplace(
      { ...without, outputs: [...without.outputs, { name: "average", type: "float32", dims: [2] }] },
      "average",
      moved,
    ),
  ).toBe(false);
});

test("a weight that a gradient reads may where its update waits for that gradient", () => {
  const replaceable = (waits: boolean): boolean => {
    const b = graphBuilder("step");
    const [weight = "", down = ""] = ["weight", "down"].map((name) => b.input(name, "float32", [2, 2]));
    const gradient = b.op("MatMul", [down, down]);
    const further = b.op("MatMul", [down, weight]);
    const updated = b.op("Sub", [weight, waits ? b.op("Add", [gradient, further]) : gradient]);
    for (const output of [updated, further]) b.output(output, "float32", [2, 2]);
    return mayReplace(b.build(), weight, updated);
  };
  expect([replaceable(true), replaceable(false)]).toEqual([true, false]);
});

test("operators that read an element after they wrote another may not be the last", () => {
  const b = graphBuilder("step");
  const weight = b.input("weight", "float32", [2, 2]);
  const turned = b.op("Transpose", [weight]);
  b.output(turned, "float32", [2, 2]);
  expect(mayReplace(b.build(), weight, turned)).toBe(false);
});

test("an input that has another name may where all readers of both have run", () => {
  const replaceable = (late: boolean): boolean => {
    const b = graphBuilder("step");
    const average = b.input("average", "float32", [2]);
    const named = b.op("Reshape", [average, b.ints([2])]);
    const read = b.op("Neg", [named]);
    const moved = b.op("Add", [late ? b.scalar(1) : read, b.scalar(1)]);
    for (const output of [moved, read]) b.output(output, "float32", [2]);
    return mayReplace(b.build(), average, moved);
  };
  expect([replaceable(false), replaceable(true)]).toEqual([true, false]);
  const b = graphBuilder("step");
  const average = b.input("average", "float32", [2]);
  const moved = b.op("Add", [b.op("Identity", [average]), b.scalar(1)]);
  b.output(moved, "float32", [2]);
  expect(mayReplace(b.build(), "average", moved)).toBe(false); // Add reads it under a name that is not the state's
});
