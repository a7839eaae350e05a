/**
 * @file ChannelMean, ChannelCenter and ChannelAffine in plain order: what normalisation does with one number a channel.
 */

import { elementCount } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { intsAttribute, type Node } from "../../onnx/graph.js";
import type { LoweringContext, LoweringFamily } from "./lowering.js";

export const channelMean = only("ChannelMean", ({ node, b, input, layouts }) =>
  // Where the forward pass is spelled out, gradients ask for its means again.
  layouts.once(`mean of ${node.inputs.map((_, i) => input(i)).join(" · ")}`, () => {
    const dims = shapeOf(node);
    const [, channels = 1] = dims;
    const square = node.inputs.length > 1 && input(0) === input(1);
    const value = node.inputs.length > 1 && !square ? b.op("Mul", [input(0), input(1)]) : input(0);
    return b.op("Mul", [sumOf(b, value, dims, square), b.scalar(channels / elementCount(dims))]);
  }),
);

export const channelCenter = only("ChannelCenter", ({ node, b, input, layouts }) =>
  layouts.once(`${input(0)} around ${input(1)}`, () => b.op("Sub", [input(0), spread(b, input(1), shapeOf(node))])),
);

export const channelAffine = only("ChannelAffine", ({ node, b, input }) => {
  const dims = shapeOf(node);
  const scaled = b.op("Mul", [input(0), spread(b, input(1), dims)]);
  const shifted = input(2) === "" ? scaled : b.op("Add", [scaled, spread(b, input(2), dims)]);
  return input(3) === "" ? shifted : b.op("Add", [shifted, input(3)]);
});

/** Sum over positions first, then images: half the time of both at once, and squares round to 1e-7, not 1e-5. */
function sumOf(b: GraphBuilder, value: string, [, , ...spatial]: readonly number[], square: boolean): string {
  const operator = square ? "ReduceSumSquare" : "ReduceSum";
  if (spatial.length === 0) return b.op(operator, [value, b.ints([0])], { keepdims: 0 });
  const perImage = b.op(operator, [value, b.ints(spatial.map((_, i) => i + 2))], { keepdims: 0 });
  return b.op("ReduceSum", [perImage, b.ints([0])], { keepdims: 0 });
}

/** [C] → [1, C, 1, …] */
function spread(b: GraphBuilder, value: string, [, channels = 1, ...spatial]: readonly number[]): string {
  return b.op("Reshape", [value, b.ints([1, channels, ...spatial.map(() => 1)])]);
}

function shapeOf(node: Node): readonly number[] {
  return intsAttribute(node, "shape") ?? [];
}

function only(operator: string, append: (context: LoweringContext) => string): LoweringFamily {
  const name = "plain";
  return { operator, lowerings: [{ name, supports: () => true, append }], choose: () => name };
}
