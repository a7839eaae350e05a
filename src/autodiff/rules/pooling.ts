/**
 * @file Gradients of pooling.
 *
 * Where several cells of a window hold its maximum, the first one in row-major order gets the whole gradient: one of
 * the subgradients, and the one that ONNX's `Indices` output names.
 */

import { elementCount } from "../../core/tensor.js";
import { intAttribute, intsAttribute } from "../../onnx/graph.js";
import { WILDMARK_DOMAIN } from "../primitives.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { poolAttributes, type WindowGeometry, windowsOf } from "../windows.js";

export const poolingRules: GradientRules = {
  MaxPool: (context) => [maxPoolGrad(context, poolGeometryOf(context))],

  GlobalMaxPool: (context) => [maxPoolGrad(context, wholeImage(context))],

  AveragePool: (context) => {
    const { node, b, dy } = context;
    const attributes = {
      ...poolAttributes(poolGeometryOf(context)),
      count_include_pad: intAttribute(node, "count_include_pad", 0),
    };
    return [b.op("AveragePoolGrad", [dy], attributes, { domain: WILDMARK_DOMAIN })];
  },

  GlobalAveragePool: ({ b, dy, input, dims }) => {
    const xDims = dims(input(0));
    const share = b.op("Mul", [dy, b.scalar(1 / elementCount(xDims.slice(2)))]);
    return [b.op("Expand", [share, b.ints(xDims)])];
  },
};

function maxPoolGrad({ node, b, dy, input }: GradientContext, geometry: WindowGeometry): string {
  const [y = ""] = node.outputs;
  return b.op("MaxPoolGrad", [input(0), y, dy], poolAttributes(geometry), { domain: WILDMARK_DOMAIN });
}

function poolGeometryOf({ node, input, dims }: GradientContext): WindowGeometry {
  const xDims = dims(input(0));
  const yDims = dims(node.outputs[0] ?? "");
  return { xDims, yDims, axes: windowsOf(node, xDims, yDims, intsAttribute(node, "kernel_shape") ?? []) };
}

function wholeImage({ node, input, dims }: GradientContext): WindowGeometry {
  const xDims = dims(input(0));
  const axes = xDims
    .slice(2)
    .map((size) => ({ input: size, output: 1, kernel: size, stride: size, dilation: 1, begin: 0, end: 0 }));
  return { xDims, yDims: dims(node.outputs[0] ?? ""), axes };
}
