/** @file The check must fail where a rule is wrong; otherwise every other test of a rule is worth nothing. */

import { describe, expect, test } from "vitest";
import { float32 } from "../../core/tensor.js";
import { float, graphBuilder } from "../../onnx/builder.js";
import type { GradientRule } from "../rule.js";
import { gradientRules } from "../rules/index.js";
import { checkGradient, type GradientCheck } from "./check-gradient.js";
import { evaluate, toReference } from "./reference.js";

function withRule(operator: string, rule: GradientRule): GradientCheck {
  const attributes = operator === "LeakyRelu" ? { alpha: float(0.3) } : {};
  return {
    inputs: { x: { dims: [2, 3] } },
    build: (b) => b.op(operator, ["x"], attributes),
    rules: { ...gradientRules, [operator]: rule },
  };
}

describe("a rule that is wrong fails", () => {
  const wrong: Readonly<Record<string, readonly [operator: string, rule: GradientRule, says: RegExp]>> = {
    "a sign": [
      "Sigmoid",
      ({ b, dy, node: { outputs } }) => [b.op("Mul", [dy, b.op("Neg", [...outputs])])],
      /gradient by "x" is/,
    ],
    "a constant factor of 1.001": ["Neg", ({ b, dy }) => [b.op("Mul", [dy, b.scalar(-1.001)])], /gradient by "x" is/],
    "a branch": ["LeakyRelu", ({ dy }) => [dy], /gradient by "x" is/],
    "no gradient": ["Tanh", () => [], /gradient by "x" is 0/],
    NaN: ["Tanh", ({ b, dy }) => [b.op("Log", [b.op("Neg", [b.op("Abs", [dy])])])], /gradient by "x" is NaN/],
    "a shape that broadcasts": [
      "Identity",
      ({ b, dy }) => [b.op("Reshape", [dy, b.ints([1, 2, 3])])],
      /gradient by "x" has dimensions \[1,2,3\]; expected \[2,3\]/,
    ],
  };
  test.each(Object.entries(wrong))("%s", async (_, [operator, rule, says]) => {
    await expect(checkGradient(withRule(operator, rule))).rejects.toThrow(says);
  });
});

test("a single element that is wrong fails", async () => {
  const check = checkGradient({
    inputs: { x: { dims: [40] } },
    build: (b, { x }) => b.op("Exp", [x]),
    rules: {
      ...gradientRules,
      Exp: ({ b, dy, node }) => {
        const [y = ""] = node.outputs;
        const one = b.initializer("one", float32([40], new Float32Array(40).fill(1).fill(2, 17, 18)));
        return [b.op("Mul", [b.op("Mul", [dy, y]), one])];
      },
    },
  });
  await expect(check).rejects.toThrow(/at element 17 of \[40\]/);
});

test("a forward value that ONNX Runtime and the reference disagree on fails", async () => {
  const check = checkGradient({
    inputs: { x: { dims: [3], values: [0.5, 1.5, 2.5] } },
    // What Dropout draws in training is random; the reference refuses it.
    build: (b, { x }) =>
      b.op("Dropout", [x, b.scalar(0.5), b.initializer("on", { type: "bool", dims: [], data: Uint8Array.of(1) })]),
  });
  await expect(check).rejects.toThrow(/does not draw random numbers/);
  const tie = checkGradient({
    inputs: { x: { dims: [1], values: [1] } },
    // 1 + 1e-8 is 1 in float32 and more than 1 in float64.
    build: (b, { x }) => b.op("Where", [b.op("Greater", [b.op("Add", [x, b.scalar(1e-8)]), x]), x, b.op("Neg", [x])]),
  });
  await expect(tie).rejects.toThrow(/value of "Where" is -1 at element 0 of \[1\]; expected 1/);
});

test("the reference keeps every value and lets feeds replace initialisers", () => {
  const b = graphBuilder("g");
  const x = b.input("x", "float32", [2]);
  const w = b.initializer("w", float32([], [3]));
  const y = b.op("Mul", [x, w], {}, { name: "y" });
  b.op("Add", [y, w], {}, { name: "z" });
  const feeds = new Map([["x", toReference(float32([2], [1, 2]))]]);
  expect([...(evaluate(b.build(), feeds).get("z")?.data ?? [])]).toEqual([6, 9]);
  const replaced = evaluate(b.build(), new Map([...feeds, ["w", toReference(float32([], [10]))] as const]));
  expect([...(replaced.get("y")?.data ?? [])]).toEqual([10, 20]);
});

test("the reference names the operator that it lacks", () => {
  const b = graphBuilder("g");
  b.op("LSTM", [b.input("x", "float32", [1])]);
  expect(() => evaluate(b.build(), new Map())).toThrow(/no kernel for LSTM node "LSTM"/);
});
