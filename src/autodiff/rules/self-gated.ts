/**
 * @file Gradients of activations that weight x by a smooth gate, y = x · h(x): y′ = h + x · h′.
 *
 * The operators of the domain com.microsoft are what ONNX Runtime's own optimiser makes of exported graphs.
 */

import type { GraphBuilder } from "../../onnx/builder.js";
import { floatAttribute, stringAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { sumTo } from "./broadcast.js";

export const selfGatedRules: GradientRules = {
  Gelu: ({ b, dy, node, input }) => {
    const slope = stringAttribute(node, "approximate", "none") === "tanh" ? geluTanhSlope : geluSlope;
    return [b.op("Mul", [dy, slope(b, input(0))])];
  },
  "com.microsoft.Gelu": ({ b, dy, input }) => [b.op("Mul", [dy, geluSlope(b, input(0))])],
  "com.microsoft.BiasGelu": (context) => biased(context, geluSlope),
  "com.microsoft.FastGelu": (context) => biased(context, geluTanhSlope),

  /** h = sigmoid(alpha · x): y′ = h + alpha · y · (1 − h). */
  Swish: (context) => swish(context, floatAttribute(context.node, "alpha", 1)),
  "com.microsoft.QuickGelu": (context) => swish(context, floatAttribute(context.node, "alpha", 1.702)),

  /** h = tanh(softplus(x)): y′ = h + x · sigmoid(x) · (1 − h²). */
  Mish: ({ b, dy, input }) => {
    const x = input(0);
    const gate = b.op("Tanh", [b.op("Softplus", [x])]);
    const rest = b.op("Sub", [b.scalar(1), b.op("Mul", [gate, gate])]);
    const bend = b.op("Mul", [b.op("Mul", [x, b.op("Sigmoid", [x])]), rest]);
    return [b.op("Mul", [dy, b.op("Add", [gate, bend])])];
  },
};

/** Φ(x) + x · φ(x), with the normal distribution's Φ(x) = (1 + erf(x/√2)) / 2 and φ(x) = exp(−x²/2) / √(2π). */
function geluSlope(b: GraphBuilder, x: string): string {
  const scaled = b.op("Mul", [x, b.scalar(Math.SQRT1_2)]);
  const area = b.op("Add", [b.op("Mul", [b.op("Erf", [scaled]), b.scalar(0.5)]), b.scalar(0.5)]);
  const bell = b.op("Exp", [b.op("Neg", [b.op("Mul", [scaled, scaled])])]);
  return b.op("Add", [area, b.op("Mul", [b.op("Mul", [x, b.scalar(1 / Math.sqrt(2 * Math.PI))]), bell])]);
}

/** With u = √(2/π) · (x + 0.044715 x³) and t = tanh u: (1 + t) / 2 + x · (1 − t²) · u′ / 2. */
function geluTanhSlope(b: GraphBuilder, x: string): string {
  const c = Math.sqrt(2 / Math.PI);
  const square = b.op("Mul", [x, x]);
  const line = (by: number, offset: number): string =>
    b.op("Add", [b.op("Mul", [square, b.scalar(by)]), b.scalar(offset)]);
  const t = b.op("Tanh", [b.op("Mul", [x, line(0.044715 * c, c)])]);
  const gate = b.op("Add", [b.op("Mul", [t, b.scalar(0.5)]), b.scalar(0.5)]);
  // (1 − t²) / 2 = 2 · gate · (1 − gate)
  const rest = b.op("Mul", [gate, b.op("Sub", [b.scalar(1), gate])]);
  const bend = b.op("Mul", [b.op("Mul", [x, rest]), line(6 * 0.044715 * c, 2 * c)]);
  return b.op("Add", [gate, bend]);
}

/** The activation of x + bias; FastGelu may lack the bias. */
function biased(context: GradientContext, slope: (b: GraphBuilder, x: string) => string): (string | undefined)[] {
  const { b, dy, node, input, has, needs, dims } = context;
  const x = has(1) ? b.op("Add", [input(0), input(1)]) : input(0);
  const gradient = b.op("Mul", [dy, slope(b, x)]);
  return [gradient, needs(1) ? sumTo(b, gradient, dims(node.outputs[0] ?? ""), dims(input(1))) : undefined];
}

function swish({ b, dy, node, input }: GradientContext, alpha: number): string[] {
  const [y = ""] = node.outputs;
  const x = input(0);
  const gate = b.op("Sigmoid", [alpha === 1 ? x : b.op("Mul", [x, b.scalar(alpha)])]);
  const rest = b.op("Mul", [b.op("Sub", [b.scalar(1), gate]), b.scalar(alpha)]);
  return [b.op("Mul", [dy, b.op("Add", [gate, b.op("Mul", [y, rest])])])];
}
