/**
 * @file Gradients of activation functions, dx = dy · f′(x), written with the output y where that is cheaper.
 *
 * At a kink the derivative is a convention; each rule that has one says which.
 */

import type { GraphBuilder } from "../../onnx/builder.js";
import { floatAttribute } from "../../onnx/graph.js";
import { WILDMARK_DOMAIN } from "../primitives.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { sumTo } from "./broadcast.js";

/** ONNX's defaults for Selu (Klambauer et al. 2017). */
const SELU_ALPHA = 1.6732632423543772;
const SELU_GAMMA = 1.0507009873554805;

export const activationRules: GradientRules = {
  Relu: ({ b, dy, node, input }) => {
    const [y = input(0)] = node.outputs;
    // y > 0 exactly where x > 0; the derivative at 0 is 0, as everywhere in the field.
    return [b.op("ReluGrad", [dy, y], {}, { domain: WILDMARK_DOMAIN })];
  },

  /** The derivative at 0 is alpha. */
  LeakyRelu: ({ b, dy, node, input }) => {
    const positive = b.op("Greater", [input(0), b.scalar(0)]);
    const leaked = b.op("Mul", [dy, b.scalar(floatAttribute(node, "alpha", 0.01))]);
    return [b.op("Where", [positive, dy, leaked])];
  },

  /** LeakyRelu with a trained slope that broadcasts. */
  PRelu: ({ b, dy, input, needs, dims }) => {
    const [x, slope] = [input(0), input(1)];
    const positive = b.op("Greater", [x, b.scalar(0)]);
    return [
      needs(0) ? b.op("Where", [positive, dy, b.op("Mul", [dy, slope])]) : undefined,
      needs(1)
        ? sumTo(b, b.op("Where", [positive, b.scalar(0), b.op("Mul", [dy, x])]), dims(x), dims(slope))
        : undefined,
    ];
  },

  /** y = exp(x) · alpha − alpha below 0, whose derivative is y + alpha. */
  Elu: ({ b, dy, node, input }) => {
    const [y = ""] = node.outputs;
    const positive = b.op("Greater", [input(0), b.scalar(0)]);
    const slope = b.op("Add", [y, b.scalar(floatAttribute(node, "alpha", 1))]);
    return [b.op("Where", [positive, dy, b.op("Mul", [dy, slope])])];
  },

  /** y = gamma · (x where x > 0, else alpha · (exp(x) − 1)); the derivative at 0 is that of the left side. */
  Selu: ({ b, dy, node, input }) => {
    const [y = ""] = node.outputs;
    const alpha = floatAttribute(node, "alpha", SELU_ALPHA);
    const gamma = floatAttribute(node, "gamma", SELU_GAMMA);
    const positive = b.op("Greater", [input(0), b.scalar(0)]);
    const slope = b.op("Where", [positive, b.scalar(gamma), b.op("Add", [y, b.scalar(alpha * gamma)])]);
    return [b.op("Mul", [dy, slope])];
  },

  /** y = alpha · (exp(x / alpha) − 1) below 0, whose derivative is y / alpha + 1: it has no kink. */
  Celu: ({ b, dy, node }) => {
    const [y = ""] = node.outputs;
    const alpha = floatAttribute(node, "alpha", 1);
    const slope = b.op("Add", [b.op("Mul", [y, b.scalar(1 / alpha)]), b.scalar(1)]);
    return [b.op("Mul", [dy, b.op("Min", [slope, b.scalar(1)])])];
  },

  /** y = x / (1 + |x|): y′ = (1 − |y|)² */
  Softsign: ({ b, dy, node }) => {
    const [y = ""] = node.outputs;
    const rest = b.op("Sub", [b.scalar(1), b.op("Abs", [y])]);
    return [b.op("Mul", [dy, b.op("Mul", [rest, rest])])];
  },

  /** x above alpha, else 0; the derivative at alpha is 0. */
  ThresholdedRelu: ({ b, dy, node, input }) => [
    where(b, b.op("Greater", [input(0), b.scalar(floatAttribute(node, "alpha", 1))]), dy),
  ],

  Clip: clip,

  /** dx = dy · y · (1 − y) */
  Sigmoid: ({ b, dy, node }) => {
    const [y = ""] = node.outputs;
    return [b.op("Mul", [dy, b.op("Mul", [y, b.op("Sub", [b.scalar(1), y])])])];
  },

  /** dx = dy · (1 − y²) */
  Tanh: ({ b, dy, node }) => {
    const [y = ""] = node.outputs;
    return [b.op("Mul", [dy, b.op("Sub", [b.scalar(1), b.op("Mul", [y, y])])])];
  },

  Softplus: ({ b, dy, input }) => [b.op("Mul", [dy, b.op("Sigmoid", [input(0)])])],

  /** dx = alpha · dy strictly between the bounds 0 and 1, and 0 at and beyond them. */
  HardSigmoid: ({ b, dy, node }) => {
    const [y = ""] = node.outputs;
    const scaled = b.op("Mul", [dy, b.scalar(floatAttribute(node, "alpha", 0.2))]);
    return [where(b, between(b, y, 0, 1), scaled)];
  },

  /** y = x · h(x) with h = clamp(x/6 + 1/2, 0, 1): y′ = h + x/6 strictly between −3 and 3, else h. */
  HardSwish: ({ b, dy, input }) => {
    const x = input(0);
    const gate = b.op("HardSigmoid", [x], {
      alpha: { kind: "float", value: 1 / 6 },
      beta: { kind: "float", value: 0.5 },
    });
    const rising = where(b, between(b, gate, 0, 1), b.op("Mul", [x, b.scalar(1 / 6)]));
    return [b.op("Mul", [dy, b.op("Add", [gate, rising])])];
  },
};

/** `value` where `condition` holds, else 0. */
function where(b: GraphBuilder, condition: string, value: string): string {
  return b.op("Where", [condition, value, b.scalar(0)]);
}

/** Whether low < value < high. */
function between(b: GraphBuilder, value: string, low: number, high: number): string {
  return b.op("And", [b.op("Greater", [value, b.scalar(low)]), b.op("Less", [value, b.scalar(high)])]);
}

/**
 * The gradient passes where x was left as it is, the bounds included; elsewhere it belongs to the bound that took x's
 * place. Where x is beyond both (min > max), the upper bound counts.
 */
function clip({ b, dy, node, input, has, needs, dims }: GradientContext): (string | undefined)[] {
  const x = input(0);
  const [y = ""] = node.outputs;
  if (!has(1) && !has(2)) return [dy];
  const total = (value: string, bound: number): string => sumTo(b, value, dims(x), dims(input(bound)));
  const over = (): string => b.op("Greater", [has(1) ? b.op("Max", [x, input(1)]) : x, input(2)]);
  const under = (): string => b.op("And", [b.op("Less", [x, input(1)]), b.op("Equal", [y, input(1)])]);
  return [
    needs(0) ? where(b, b.op("Equal", [x, y]), dy) : undefined,
    needs(1) ? total(where(b, under(), dy), 1) : undefined,
    needs(2) ? total(where(b, over(), dy), 2) : undefined,
  ];
}
