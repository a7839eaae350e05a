/** @file Every lowering can be measured by itself, and one that is wrong or does not run is refused. */

import { describe, expect, test, vi } from "vitest";
import { float32 } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import type { Node } from "../../onnx/graph.js";
import * as lowering from "../lowering/index.js";
import { targetOf } from "./identity.js";
import { loneNode } from "./lone-node.js";
import { largestDifference, measureLowerings } from "./measure.js";
import { ceilPoolNode, nodeOf, primitives } from "./testing/nodes.js";

const target = await targetOf({ threads: 1 });
const candidatesOf = (node: Node): readonly string[] =>
  lowering.kernelChoices(loneNode(node).graph, target).at(-1)?.candidates ?? [];

describe.each(Object.keys(primitives))("%s", (operator) => {
  test("has all its lowerings measured, and they agree", async () => {
    const node = nodeOf(operator);
    const names = candidatesOf(node);
    const measured = await measureLowerings(node, names, target);
    expect(measured.map((each) => each.lowering)).toEqual(names);
    for (const each of measured) {
      expect(each).toHaveProperty("turns");
      if ("turns" in each) for (const time of each.turns) expect(time).toBeGreaterThan(0);
    }
  });
});

test("a pooling whose last window runs past the image is measured, too", async () => {
  const node = ceilPoolNode();
  const names = candidatesOf(node);
  expect(names.length).toBeGreaterThan(1);
  for (const each of await measureLowerings(node, names, target)) expect(each).toHaveProperty("turns");
});

test("a lowering whose result is wrong, and one that ONNX Runtime refuses, are refused with the reason", async () => {
  const lowerPrimitives = lowering.lowerPrimitives;
  const spy = vi.spyOn(lowering, "lowerPrimitives").mockImplementation((graph, options) => {
    const name = options?.choose?.(nodeOf("ConvGradInput"), []);
    const right = lowerPrimitives(graph, { ...options, choose: () => "transposed" });
    if (name === "transposed") return right;
    const b = graphBuilder("wrong", { from: right });
    const last = name === "failing" ? b.op("NoSuchOperator", ["out"]) : b.op("Mul", ["out", b.scalar(1.01)]);
    b.output(last);
    const swap = (value: string): string => (value === last ? "out" : value === "out" ? "before" : value);
    const nodes = b
      .build()
      .nodes.map((each) => ({ ...each, inputs: each.inputs.map(swap), outputs: each.outputs.map(swap) }));
    return { ...b.build(), nodes, outputs: right.outputs };
  });
  try {
    const measured = await measureLowerings(nodeOf("ConvGradInput"), ["transposed", "wrong", "failing"], target);
    expect(measured).toEqual([
      { lowering: "transposed", turns: expect.anything() },
      { lowering: "wrong", refused: expect.stringMatching(/differs by 0\.01/) },
      { lowering: "failing", refused: expect.stringMatching(/NoSuchOperator/) },
    ]);
    await expect(measureLowerings(nodeOf("ConvGradInput"), ["failing"], target)).rejects.toMatchObject({
      code: "runtime",
    });
  } finally {
    spy.mockRestore();
  }
});

test("the difference of two results is a share of the largest value, and NaN is no agreement", () => {
  const of = (...values: number[]) => float32([values.length], values);
  expect(largestDifference(of(1, 2, -4), of(1, 2, -4))).toBe(0);
  expect(largestDifference(of(1, 3, -4), of(1, 2, -4))).toBe(0.25);
  expect(largestDifference(of(0), of(0))).toBe(0);
  expect(largestDifference(of(1), of(0))).toBe(Number.POSITIVE_INFINITY);
  expect(largestDifference(of(Number.NaN), of(1))).toBe(Number.POSITIVE_INFINITY);
  expect(largestDifference(of(1, 2), of(1))).toBe(Number.POSITIVE_INFINITY);
});
