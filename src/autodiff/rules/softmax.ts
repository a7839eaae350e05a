/** @file Gradients of Softmax and LogSoftmax along any axis, written with the output y. */

import { intAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRules } from "../rule.js";

export const softmaxRules: GradientRules = {
  /** dx = y · (dy − Σ dy·y) */
  Softmax: (context) => {
    const { node, b, dy } = context;
    const [y = ""] = node.outputs;
    const sum = b.op("ReduceSum", [b.op("Mul", [dy, y]), normalizedAxes(context)]);
    return [b.op("Mul", [y, b.op("Sub", [dy, sum])])];
  },

  /** dx = dy − exp(y) · Σ dy */
  LogSoftmax: (context) => {
    const { node, b, dy } = context;
    const [y = ""] = node.outputs;
    const sum = b.op("ReduceSum", [dy, normalizedAxes(context)]);
    return [b.op("Sub", [dy, b.op("Mul", [b.op("Exp", [y]), sum])])];
  },
};

/** The axes that sum to one: `axis` alone, but in operator sets before 13 `axis` and all after it. */
function normalizedAxes({ node, b, input, dims }: GradientContext): string {
  const rank = dims(input(0)).length;
  const opset = b.build().opsets.get("") ?? Number.POSITIVE_INFINITY;
  if (opset >= 13) return b.ints([intAttribute(node, "axis", -1)]);
  const axis = intAttribute(node, "axis", 1);
  const first = axis < 0 ? axis + rank : axis;
  return b.ints(Array.from({ length: rank - first }, (_, i) => first + i));
}
