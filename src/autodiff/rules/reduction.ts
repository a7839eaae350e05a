/** @file Gradients of reductions: what was gathered into one number is spread over where it came from. */

import { elementCount, sameDims, toNumbers } from "../../core/tensor.js";
import { intAttribute } from "../../onnx/graph.js";
import { dataTypeOf } from "../../onnx/tensor-proto.js";
import type { GradientContext, GradientRule, GradientRules } from "../rule.js";
import { reshapeTo } from "./broadcast.js";

export const reductionRules: GradientRules = {
  ReduceSum: reduction((context, { spread, aligned }) => spread(aligned(context.dy))),
  ReduceMean: reduction((context, { count, spread, aligned }) => {
    const { b, dy } = context;
    return spread(aligned(count === 1 ? dy : b.op("Mul", [dy, b.scalar(1 / count)])));
  }),
  ReduceSumSquare: reduction(({ b, dy, input }, { aligned }) => {
    const twice = aligned(b.op("Mul", [dy, b.scalar(2)]));
    return b.op("Mul", [input(0), twice]);
  }),
  ReduceL1: reduction(({ b, dy, input }, { aligned }) => b.op("Mul", [b.op("Sign", [input(0)]), aligned(dy)])),
  /** dx = x · dy / y, and 0 where y is 0. */
  ReduceL2: reduction(({ b, dy, input }, { aligned, y }) => {
    const length = b.op("Where", [b.op("Equal", [y, b.scalar(0)]), b.scalar(1), y]);
    return b.op("Mul", [input(0), aligned(b.op("Div", [dy, length]))]);
  }),
  /** dx = dy · exp(x − y) */
  ReduceLogSumExp: reduction(({ b, dy, input }, { aligned, y }) =>
    b.op("Mul", [b.op("Exp", [b.op("Sub", [input(0), aligned(y)])]), aligned(dy)]),
  ),
  /** dx = dy / exp(y) */
  ReduceLogSum: reduction(({ b, dy }, { spread, aligned, y }) => spread(aligned(b.op("Div", [dy, b.op("Exp", [y])])))),
  ReduceProd: reduction(product),
  ReduceMax: reduction(extremum),
  ReduceMin: reduction(extremum),
};

/** What the rules of all reductions need to know of one node. */
interface Reduction {
  /** The node's output. */
  readonly y: string;
  /** Number of elements that became one. */
  readonly count: number;
  /** The axes that were reduced; those of size 1, whose reduction changes nothing, included. */
  readonly axes: readonly number[];
  /** Gives a value of the output's dimensions such dimensions that it broadcasts to those of the input. */
  aligned(value: string): string;
  /** Repeats what `aligned` gives to the dimensions of the input. */
  spread(value: string): string;
}

function reduction(gradient: (context: GradientContext, reduction: Reduction) => string): GradientRule {
  return (context) => {
    const { b, node, input, dims } = context;
    const [y = ""] = node.outputs;
    const from = dims(input(0));
    const to = dims(y);
    const axes = reducedAxes(context);
    const kept = from.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    const alignedDims = alignsAsItIs(from, to, kept) ? to : kept;
    return [
      gradient(context, {
        y,
        axes,
        count: elementCount(from) / elementCount(kept),
        aligned: (value) => reshapeTo(b, value, to, alignedDims),
        spread: (value) => {
          const shaped = elementCount(alignedDims) === elementCount(from);
          return shaped ? reshapeTo(b, value, alignedDims, from) : b.op("Expand", [value, b.ints(from)]);
        },
      }),
    ];
  };
}

/**
 * All axes where none are given; with noop_with_empty_axes none, which reduces every element alone (ReduceSumSquare
 * squares it), as ONNX Runtime does.
 */
function reducedAxes({ node, has, constant, input, dims }: GradientContext): readonly number[] {
  const rank = dims(input(0)).length;
  const given = has(1) ? toNumbers(constant(1)) : [];
  if (given.length > 0) return given.map((axis) => (axis < 0 ? axis + rank : axis));
  return intAttribute(node, "noop_with_empty_axes", 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

/** Whether broadcasting `to` to `from` puts every axis where it belongs, so that no axis of size 1 must be put back. */
function alignsAsItIs(from: readonly number[], to: readonly number[], kept: readonly number[]): boolean {
  const leading = from.length - to.length;
  return sameDims([...new Array<number>(leading).fill(1), ...to], kept);
}

/** Elements that tie for the extreme value share the gradient, so that its sum stays what it was. */
function extremum({ b, dy, input }: GradientContext, { aligned, axes, count, y }: Reduction): string {
  if (count === 1) return aligned(dy);
  const hits = b.op("Cast", [b.op("Equal", [input(0), aligned(y)])], { to: dataTypeOf("float32") });
  const ties = b.op("ReduceSum", [hits, b.ints(axes)], { keepdims: 1 });
  return b.op("Mul", [hits, b.op("Div", [aligned(dy), ties])]);
}

/** dx = dy · the product of the other elements, which is exact where some are 0. */
function product({ b, dy, input }: GradientContext, { aligned, axes, count }: Reduction): string {
  if (count === 1) return aligned(dy);
  const isZero = b.op("Equal", [input(0), b.scalar(0)]);
  const safe = b.op("Where", [isZero, b.scalar(1), input(0)]);
  const all = b.op("ReduceProd", [safe, b.ints(axes)], { keepdims: 1 });
  const zeros = b.op("Cast", [isZero], { to: dataTypeOf("float32") });
  const otherZeros = b.op("Sub", [b.op("ReduceSum", [zeros, b.ints(axes)], { keepdims: 1 }), zeros]);
  const others = b.op("Where", [b.op("Equal", [otherZeros, b.scalar(0)]), b.op("Div", [all, safe]), b.scalar(0)]);
  return b.op("Mul", [others, aligned(dy)]);
}
