/** @file Checks of the rules in `rules/reduction.ts`. */

import { int64 } from "../../../core/tensor.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

interface Shape {
  readonly title: string;
  readonly dims: readonly number[];
  /** Undefined where the input is left out. */
  readonly axes?: readonly number[];
  readonly keepdims?: number;
  readonly noop?: number;
}

const shapes: readonly Shape[] = [
  { title: "all axes", dims: [2, 3] },
  { title: "all axes, dropped", dims: [2, 3], keepdims: 0 },
  { title: "the last axis", dims: [2, 3, 4], axes: [-1] },
  { title: "the last axis, dropped", dims: [2, 3, 4], axes: [-1], keepdims: 0 },
  { title: "the first axis, dropped", dims: [2, 3, 4], axes: [0], keepdims: 0 },
  { title: "a middle axis, dropped", dims: [2, 3, 4], axes: [1], keepdims: 0 },
  { title: "two axes apart, dropped, out of order", dims: [2, 3, 4], axes: [2, 0], keepdims: 0 },
  { title: "spatial axes", dims: [2, 3, 2, 4], axes: [2, 3] },
  { title: "an axis of size 1, dropped", dims: [2, 1, 3], axes: [1], keepdims: 0 },
  { title: "an axis of size 1 and another", dims: [1, 3, 2], axes: [0, 1] },
  { title: "a scalar", dims: [], keepdims: 0 },
  { title: "an empty list of axes: all", dims: [2, 3], axes: [], keepdims: 0 },
  { title: "an empty list of axes that means none", dims: [2, 3], axes: [], noop: 1 },
  { title: "no axes, which means none", dims: [2, 3], noop: 1 },
];

function reductions(operator: string, between: readonly [number, number] = [-2, 2]): GradientCase[] {
  return shapes.map(({ title, dims, axes, keepdims, noop }) =>
    gradientCase(title, {
      inputs: { x: { dims, between } },
      build: (g, { x }) =>
        g.op(operator, axes === undefined ? [x] : [x, g.initializer("axes", int64([axes.length], axes))], {
          ...(keepdims === undefined ? {} : { keepdims }),
          ...(noop === undefined ? {} : { noop_with_empty_axes: noop }),
        }),
    }),
  );
}

export const reductionCases: GradientCases = {
  ReduceSum: reductions("ReduceSum"),
  ReduceMean: reductions("ReduceMean"),
  ReduceSumSquare: reductions("ReduceSumSquare"),
  ReduceL1: reductions("ReduceL1"),
  ReduceL2: reductions("ReduceL2"),
  ReduceLogSumExp: reductions("ReduceLogSumExp"),
  ReduceMax: reductions("ReduceMax"),
  ReduceMin: reductions("ReduceMin"),
  ReduceLogSum: reductions("ReduceLogSum", [0.5, 2]),
  ReduceProd: [
    ...reductions("ReduceProd"),
    gradientCase("rows with no, one and two zeros", {
      inputs: { x: { dims: [3, 3], values: [1.5, -2, 0.5, 2, 0, 3, 0, 4, 0] } },
      build: (g, { x }) => g.op("ReduceProd", [x, g.ints([-1])]),
    }),
  ],
};
