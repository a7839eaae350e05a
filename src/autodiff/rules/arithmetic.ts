/** @file Gradients of arithmetic, element by element with NumPy's broadcasting. */

import { elementCount, float32, sameDims, toNumbers } from "../../core/tensor.js";
import { dataTypeOf } from "../../onnx/tensor-proto.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { sumTo } from "./broadcast.js";

export const arithmeticRules: GradientRules = {
  Add: (context) => [summed(context, 0, context.dy), summed(context, 1, context.dy)],

  Sub: (context) => {
    const { b, dy } = context;
    const right = summed(context, 1, dy);
    return [summed(context, 0, dy), right && b.op("Neg", [right])];
  },

  Mul: (context) => {
    const { b, dy, input, needs } = context;
    return [
      needs(0) ? summed(context, 0, b.op("Mul", [dy, input(1)])) : undefined,
      needs(1) ? summed(context, 1, b.op("Mul", [dy, input(0)])) : undefined,
    ];
  },

  /** y = a / b: da = dy / b, db = −da · y. */
  Div: (context) => {
    const { b, dy, input, needs, node } = context;
    const quotient = b.op("Div", [dy, input(1)]);
    const right = needs(1) ? summed(context, 1, b.op("Mul", [quotient, y(node.outputs)])) : undefined;
    return [summed(context, 0, quotient), right && b.op("Neg", [right])];
  },

  Pow: (context) => [powByBase(context), powByExponent(context)],

  Neg: ({ b, dy }) => [b.op("Neg", [dy])],
  Abs: ({ b, dy, input }) => [b.op("Mul", [dy, b.op("Sign", [input(0)])])],
  Exp: ({ b, dy, node }) => [b.op("Mul", [dy, y(node.outputs)])],
  Log: ({ b, dy, input }) => [b.op("Div", [dy, input(0)])],
  Sin: ({ b, dy, input }) => [b.op("Mul", [dy, b.op("Cos", [input(0)])])],
  Cos: ({ b, dy, input }) => [b.op("Neg", [b.op("Mul", [dy, b.op("Sin", [input(0)])])])],
  /** dx = dy / 2y */
  Sqrt: ({ b, dy, node }) => [b.op("Div", [b.op("Mul", [dy, b.scalar(0.5)]), y(node.outputs)])],
  /** dx = −dy · y² */
  Reciprocal: ({ b, dy, node }) => {
    const reciprocal = y(node.outputs);
    return [b.op("Neg", [b.op("Mul", [b.op("Mul", [dy, reciprocal]), reciprocal])])];
  },
  /** dx = dy · 2/√π · exp(−x²) */
  Erf: ({ b, dy, input }) => {
    const bell = b.op("Exp", [b.op("Neg", [b.op("Mul", [input(0), input(0)])])]);
    return [b.op("Mul", [dy, b.op("Mul", [bell, b.scalar(2 / Math.sqrt(Math.PI))])])];
  },

  Sum: (context) => context.node.inputs.map((_, i) => summed(context, i, context.dy)),
  Mean: (context) => {
    const { b, dy, node } = context;
    const share = b.op("Mul", [dy, b.scalar(1 / node.inputs.length)]);
    return node.inputs.map((_, i) => summed(context, i, share));
  },
  Max: extremum,
  Min: extremum,
};

/** The first output, which these rules are written with. */
function y([output = ""]: readonly string[]): string {
  return output;
}

/** `gradient`, which has the output's dimensions, as the gradient of input i; undefined where none is asked for. */
function summed({ b, node, input, needs, dims }: GradientContext, i: number, gradient: string): string | undefined {
  return needs(i) ? sumTo(b, gradient, dims(y(node.outputs)), dims(input(i))) : undefined;
}

/** The whole gradient goes to the first input that holds the extreme value, so that ties are not counted twice. */
function extremum(context: GradientContext): (string | undefined)[] {
  const { b, dy, node, input } = context;
  const last = node.inputs.length - 1;
  const lastNeeded = node.inputs.findLastIndex((_, i) => context.needs(i));
  let remaining = dy;
  return node.inputs.map((_, i) => {
    if (i > lastNeeded) return undefined;
    if (i === last) return summed(context, i, remaining);
    const hit = b.op("Equal", [input(i), y(node.outputs)]);
    const mine = context.needs(i) ? b.op("Where", [hit, remaining, b.scalar(0)]) : undefined;
    if (i < lastNeeded) remaining = b.op("Where", [hit, b.scalar(0), remaining]);
    return mine && summed(context, i, mine);
  });
}

/**
 * y = x^e: dx = dy · e · x^(e−1), and 0 where e is 0, even at x = 0.
 *
 * The exponents that models hold, 2 and ½ and other plain numbers, take fewer nodes than the general formula.
 */
function powByBase(context: GradientContext): string | undefined {
  const { b, dy, node, input, needs, dims } = context;
  if (!needs(0)) return undefined;
  const x = input(0);
  const exponent = fixedExponent(context);
  const plain = exponent !== undefined && sameDims(dims(y(node.outputs)), dims(x)) ? exponent : undefined;
  if (plain === 0) return undefined;
  if (plain === 1) return dy;
  if (plain === 2) return b.op("Mul", [dy, b.op("Mul", [x, b.scalar(2)])]);
  if (plain === 0.5) return b.op("Div", [b.op("Mul", [dy, b.scalar(0.5)]), y(node.outputs)]);
  if (plain !== undefined) {
    const power = b.op("Pow", [x, b.scalar(plain - 1)]);
    return b.op("Mul", [dy, b.op("Mul", [power, b.scalar(plain)])]);
  }
  const e = floatExponent(context);
  const none = b.op("Equal", [e, b.scalar(0)]);
  const lower = b.op("Where", [none, b.scalar(1), b.op("Sub", [e, b.scalar(1)])]);
  const slope = b.op("Mul", [e, b.op("Pow", [x, lower])]);
  return summed(context, 0, b.op("Mul", [dy, slope]));
}

/**
 * de = dy · y · ln x where x > 0; elsewhere 0, the limit at x = 0 for positive e (negative x has no real derivative).
 */
function powByExponent(context: GradientContext): string | undefined {
  const { b, dy, node, input, needs } = context;
  if (!needs(1)) return undefined;
  const x = input(0);
  const logarithm = b.op("Where", [b.op("Greater", [x, b.scalar(0)]), b.op("Log", [x]), b.scalar(0)]);
  return summed(context, 1, b.op("Mul", [dy, b.op("Mul", [y(node.outputs), logarithm])]));
}

/** The exponent where it is one number that is neither fed nor trained. */
function fixedExponent({ node, input, needs, dims, fixed }: GradientContext): number | undefined {
  if (needs(1) || node.inputs.length < 2 || elementCount(dims(input(1))) !== 1) return undefined;
  const constant = fixed(1);
  return constant === undefined ? undefined : toNumbers(constant)[0];
}

/** The exponent as float32: Pow alone takes an integer exponent beside a float base. */
function floatExponent({ b, input, type, fixed }: GradientContext): string {
  if (type(input(1)) === "float32") return input(1);
  const constant = fixed(1);
  if (constant !== undefined) return b.initializer("exponent", float32(constant.dims, toNumbers(constant)));
  return b.op("Cast", [input(1)], { to: dataTypeOf("float32") });
}
