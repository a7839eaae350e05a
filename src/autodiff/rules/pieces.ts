/** @file Gradients of operators that take tensors apart and put them together. */

import { WildmarkError } from "../../core/errors.js";
import { elementCount, toNumbers } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { describeNode, intAttribute, stringAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { reshapeTo, sumTo } from "./broadcast.js";
import { padded } from "./padded.js";
import { sliceRule } from "./slice.js";

export const piecesRules: GradientRules = {
  Concat: (context) => {
    const { b, dy, node, input, needs, dims } = context;
    const axis = axisOf(context, 0);
    const sizes = node.inputs.map((name) => dims(name)[axis] ?? 0);
    const needed = node.inputs.flatMap((_, i) => (needs(i) ? [i] : []));
    if (needed.length > 1) return b.ops("Split", [dy, b.ints(sizes)], sizes.length, { axis });
    return node.inputs.map((_, i) => {
      if (!needs(i)) return undefined;
      const start = sizes.slice(0, i).reduce((sum, size) => sum + size, 0);
      const end = start + (dims(input(i))[axis] ?? 0);
      return b.op("Slice", [dy, b.ints([start]), b.ints([end]), b.ints([axis])]);
    });
  },

  Split: (context) => {
    const { b, node, input, outputGradients, dims } = context;
    const axis = axisOf(context, 0);
    const parts = node.outputs.map((output) => (output === "" ? undefined : dims(output)));
    const reached = outputGradients.flatMap((gradient, i) => (gradient === undefined ? [] : [{ gradient, i }]));
    const [only, ...others] = reached;
    const sizes = sizesOfParts(
      dims(input(0))[axis] ?? 0,
      parts.map((part) => part?.[axis]),
    );
    if (only !== undefined && others.length === 0) {
      const before = sizes.slice(0, only.i).reduce((sum, size) => sum + size, 0);
      const after = sizes.slice(only.i + 1).reduce((sum, size) => sum + size, 0);
      if (before + after === 0) return [only.gradient];
      return [padded(b, only.gradient, dims(input(0)).length, { axes: [axis], begins: [before], ends: [after] })];
    }
    const pieces = sizes.map((size, i) => outputGradients[i] ?? zeros(b, dims(input(0)).with(axis, size)));
    return [b.op("Concat", pieces, { axis })];
  },

  Slice: sliceRule,

  /** Cuts off what was added, and puts back as zeros what negative pads cut off. */
  Pad: (context) => {
    const { b, dy, node, input, has, needs, dims, constant } = context;
    const mode = stringAttribute(node, "mode", "constant");
    if (mode !== "constant") {
      throw new WildmarkError(
        "unsupported-operator",
        `${describeNode(node)} pads by "${mode}"; there is a gradient rule for padding with a constant only.`,
        { hint: "Freeze what lies before it: train only the weights that come after this node." },
      );
    }
    const pads = toNumbers(constant(1));
    const rank = dims(input(0)).length;
    const axes = has(3)
      ? toNumbers(constant(3)).map((axis) => (axis < 0 ? axis + rank : axis))
      : [...Array(rank).keys()];
    const back = axes.every((_, i) => pads[i] === 0 && pads[i + axes.length] === 0)
      ? dy
      : padded(b, dy, rank, {
          axes,
          begins: pads.slice(0, axes.length).map((pad) => -pad),
          ends: pads.slice(axes.length).map((pad) => -pad),
        });
    const total = (value: string): string => b.op("ReduceSum", [value], { keepdims: 0 });
    return [
      needs(0) ? back : undefined,
      undefined,
      needs(2) ? reshapeTo(b, b.op("Sub", [total(dy), total(back)]), [], dims(input(2))) : undefined,
    ];
  },

  /** Adds each gradient to the element that it was taken from; an element may be taken several times or never. */
  Gather: (context) => {
    const { b, dy, node, input, dims, fixed } = context;
    const axis = axisOf(context, 0);
    const from = dims(input(0));
    const chosen = elementCount(dims(input(1)));
    const dyDims = from.with(axis, chosen);
    const updates = reshapeTo(b, dy, dims(node.outputs[0] ?? ""), dyDims);
    const constant = fixed(1);
    const [place = 0] = constant === undefined ? [] : toNumbers(constant);
    if (constant !== undefined && chosen === 1) {
      const size = from[axis] ?? 1;
      const before = place < 0 ? place + size : place;
      return [padded(b, updates, from.length, { axes: [axis], begins: [before], ends: [size - 1 - before] })];
    }
    const column = b.op("Reshape", [input(1), b.ints(dyDims.map((dim, i) => (i === axis ? dim : 1)))]);
    const indices = b.op("Expand", [column, b.ints(dyDims)]);
    return [b.op("ScatterElements", [zeros(b, from), indices, updates], { axis, reduction: "add" })];
  },

  GatherElements: (context) => {
    const { b, dy, input, dims } = context;
    const axis = axisOf(context, 0);
    return [b.op("ScatterElements", [zeros(b, dims(input(0))), input(1), dy], { axis, reduction: "add" })];
  },

  Where: ({ b, dy, node, input, needs, dims }) => {
    const from = dims(node.outputs[0] ?? "");
    const zero = b.scalar(0);
    return [
      undefined,
      needs(1) ? sumTo(b, b.op("Where", [input(0), dy, zero]), from, dims(input(1))) : undefined,
      needs(2) ? sumTo(b, b.op("Where", [input(0), zero, dy]), from, dims(input(2))) : undefined,
    ];
  },
};

/** The node's `axis`, counted from 0. */
function axisOf({ node, input, dims }: GradientContext, fallback: number): number {
  const axis = intAttribute(node, "axis", fallback);
  return axis < 0 ? axis + dims(input(0)).length : axis;
}

/** An output that is left out has no traced size; when there is one of them, it is what the others leave. */
function sizesOfParts(size: number, parts: readonly (number | undefined)[]): number[] {
  const known = parts.reduce<number>((sum, part) => sum + (part ?? 0), 0);
  return parts.map((part) => part ?? size - known);
}

function zeros(b: GraphBuilder, dims: readonly number[]): string {
  return b.op("ConstantOfShape", [b.ints(dims)], {}, { name: "zeros" });
}
