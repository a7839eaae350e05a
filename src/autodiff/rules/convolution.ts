/** @file Gradients of Conv and ConvTranspose: each is the other with the same kernel, and one sum over all windows. */

import type { GraphBuilder } from "../../onnx/builder.js";
import { intAttribute } from "../../onnx/graph.js";
import { WILDMARK_DOMAIN } from "../primitives.js";
import type { GradientContext, GradientRules } from "../rule.js";
import {
  type ConvGeometry,
  convAttributes,
  readEnd,
  stepAttributes,
  transposedWindowsOf,
  windowsOf,
} from "../windows.js";

export const convolutionRules: GradientRules = {
  Conv: (context) => {
    const { node, b, dy, input, needs } = context;
    const { xDims, yDims, wDims } = shapes(context);
    const axes = windowsOf(node, xDims, yDims, wDims.slice(2));
    const geometry = { xDims, wDims, yDims, axes, group: intAttribute(node, "group", 1) };
    return [
      needs(0) ? primitive(b, "ConvGradInput", [dy, input(1)], geometry) : undefined,
      needs(1) ? primitive(b, "ConvGradWeight", [input(0), dy], geometry) : undefined,
      needs(2) ? sumOverChannel(context) : undefined,
    ];
  },

  ConvTranspose: (context) => {
    const { node, b, dy, input, needs } = context;
    // y = ConvGradInput(x, w) of a convolution from y's side to x's; so dx is that convolution of dy, and in the
    // gradient to the kernel x and dy exchange their roles.
    const { xDims, yDims, wDims } = shapes(context);
    const axes = transposedWindowsOf(node, xDims, yDims, wDims.slice(2));
    const geometry = { xDims: yDims, wDims, yDims: xDims, axes, group: intAttribute(node, "group", 1) };
    return [
      needs(0) ? forward(b, dy, input(1), geometry) : undefined,
      needs(1) ? primitive(b, "ConvGradWeight", [dy, input(0)], geometry) : undefined,
      needs(2) ? sumOverChannel(context) : undefined,
    ];
  },
};

function shapes({ node, input, dims }: GradientContext) {
  return { xDims: dims(input(0)), wDims: dims(input(1)), yDims: dims(node.outputs[0] ?? "") };
}

function primitive(b: GraphBuilder, operator: string, inputs: readonly string[], geometry: ConvGeometry): string {
  return b.op(operator, inputs, convAttributes(geometry), { domain: WILDMARK_DOMAIN });
}

/** The Conv of `geometry`, which reads none of the cells that output_padding added behind its windows. */
function forward(b: GraphBuilder, x: string, w: string, { axes, group }: ConvGeometry): string {
  return b.op("Conv", [x, w], { ...stepAttributes(axes.map((axis) => ({ ...axis, end: readEnd(axis) }))), group });
}

/** The gradient of the bias: dy summed over images and positions. */
function sumOverChannel({ node, b, dy, dims }: GradientContext): string {
  const [, , ...spatial] = dims(node.outputs[0] ?? "");
  return b.op("ReduceSum", [dy, b.ints([0, ...spatial.map((_, i) => i + 2)])], { keepdims: 0 });
}
