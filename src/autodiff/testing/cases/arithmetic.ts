/** @file Checks of the rules in `rules/arithmetic.ts`. */

import { float32, int64 } from "../../../core/tensor.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

/** Pairs of shapes that broadcast in every way: equal, missing axes, axes of size 1 on either side or both, scalars. */
const pairs: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[4], [2, 3, 4]],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [
    [1, 3, 1],
    [2, 3, 4],
  ],
  [[2, 3], []],
  [[], [2]],
  [[], []],
  [
    [1, 1],
    [2, 3],
  ],
  [[3], [1, 1, 3]],
];

/** Away from 0 on the right, for quotients. */
const away = [0.5, 2] as const;

function binary(operator: string): GradientCase[] {
  return pairs.map(([a, b]) =>
    gradientCase(`[${a}] and [${b}]`, {
      inputs: { a: { dims: a, between: away }, b: { dims: b, between: away } },
      build: (g, { a, b }) => g.op(operator, [a, b]),
    }),
  );
}

function unary(operator: string, between?: readonly [number, number]): GradientCase[] {
  return [[2, 3, 4], [], [1, 5]].map((dims) =>
    gradientCase(`[${dims}]`, {
      inputs: { x: between === undefined ? { dims } : { dims, between } },
      build: (g, { x }) => g.op(operator, [x]),
    }),
  );
}

function variadic(operator: string): GradientCase[] {
  return [
    gradientCase("one input", {
      inputs: { a: { dims: [2, 3] } },
      build: (g, { a }) => g.op(operator, [a]),
    }),
    gradientCase("three inputs that broadcast", {
      inputs: { a: { dims: [2, 3] }, b: { dims: [1] }, c: { dims: [2, 1, 3] } },
      build: (g, { a, b, c }) => g.op(operator, [a, b, c]),
    }),
    gradientCase("three inputs, of which the middle one is asked for", {
      inputs: { a: { dims: [2, 3], checked: false }, b: { dims: [3] }, c: { dims: [], checked: false } },
      build: (g, { a, b, c }) => g.op(operator, [a, b, c]),
    }),
  ];
}

/** The same value on both sides: two gradients arrive at it. */
const twice = (operator: string): GradientCase =>
  gradientCase("a value with itself", {
    inputs: { x: { dims: [2, 3], between: away } },
    build: (g, { x }) => g.op(operator, [x, x]),
  });

const oneSided = (operator: string): GradientCase[] => [
  gradientCase("only the left is asked for", {
    inputs: { a: { dims: [3], between: away }, b: { dims: [2, 3], between: away, checked: false } },
    build: (g, { a, b }) => g.op(operator, [a, b]),
  }),
  gradientCase("only the right is asked for, a weight", {
    inputs: { a: { dims: [2, 3], between: away, checked: false }, b: { dims: [3], between: away, initializer: true } },
    build: (g, { a, b }) => g.op(operator, [a, b]),
  }),
];

const power = (exponent: number, between: readonly [number, number] = [-2, 2]): GradientCase =>
  gradientCase(`to the constant ${exponent}`, {
    inputs: { x: { dims: [2, 4], between } },
    build: (g, { x }) => g.op("Pow", [x, g.scalar(exponent)]),
  });

export const arithmeticCases: GradientCases = {
  Add: [...binary("Add"), ...oneSided("Add"), twice("Add")],
  Sub: [...binary("Sub"), ...oneSided("Sub"), twice("Sub")],
  Mul: [...binary("Mul"), ...oneSided("Mul"), twice("Mul")],
  Div: [...binary("Div"), ...oneSided("Div"), twice("Div")],
  Pow: [
    ...binary("Pow"),
    ...oneSided("Pow"),
    twice("Pow"),
    ...[0, 1, 2, 3, -2].map((exponent) => power(exponent, exponent < 0 ? [0.5, 2] : [-2, 2])),
    power(0.5, [0.5, 2]),
    power(1.7, [0.5, 2]),
    gradientCase("to a constant that makes the output larger than the base", {
      inputs: { x: { dims: [3] } },
      build: (g, { x }) => g.op("Pow", [x, g.initializer("two", float32([1, 1], [2]))]),
    }),
    gradientCase("to integers, zero among them, of a base that holds zeros", {
      inputs: { x: { dims: [2, 3], values: [0, 1.5, -0.5, 0, -2, 0] } },
      build: (g, { x }) => g.op("Pow", [x, g.initializer("e", int64([3], [0, 3, 2]))]),
    }),
    gradientCase("to a trained exponent of a base that holds zeros", {
      inputs: { x: { dims: [3], values: [0, 1.5, 2], checked: false }, e: { dims: [3], between: away } },
      build: (g, { x, e }) => g.op("Pow", [x, e]),
    }),
  ],
  Sum: variadic("Sum"),
  Mean: variadic("Mean"),
  Max: [
    ...variadic("Max"),
    ...binary("Max"),
    gradientCase("four inputs, one asked for twice", {
      inputs: { a: { dims: [8] }, b: { dims: [8] }, c: { dims: [8] } },
      build: (g, { a, b, c }) => g.op("Max", [a, b, g.op("Neg", [a]), c]),
    }),
  ],
  Min: [...variadic("Min"), ...binary("Min")],

  Neg: unary("Neg"),
  Abs: unary("Abs"),
  Exp: unary("Exp"),
  Log: unary("Log", away),
  Sin: unary("Sin"),
  Cos: unary("Cos"),
  Sqrt: unary("Sqrt", away),
  Reciprocal: unary("Reciprocal", away),
  Erf: unary("Erf"),
};
