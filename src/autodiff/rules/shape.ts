/** @file Gradients of operators that give the same numbers in another shape, order or element type. */

import { intsAttribute } from "../../onnx/graph.js";
import { dataTypeOf } from "../../onnx/tensor-proto.js";
import type { GradientRule, GradientRules } from "../rule.js";
import { reshapeTo, sumTo } from "./broadcast.js";

/** The same elements in the same order: back to the old dimensions. */
const reshaped: GradientRule = ({ b, dy, node, input, dims }) => [
  reshapeTo(b, dy, dims(node.outputs[0] ?? ""), dims(input(0))),
];

/** Between float types; what comes from or becomes an integer carries no gradient and never gets here. */
const cast: GradientRule = ({ b, dy, node, input, type }) => {
  const from = type(input(0));
  return [from === type(node.outputs[0] ?? "") ? dy : b.op("Cast", [dy], { to: dataTypeOf(from) })];
};

export const shapeRules: GradientRules = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Identity: ({ dy }) => [dy],

  Transpose: ({ b, dy, node, input, dims }) => {
    const rank = dims(input(0)).length;
    const perm = intsAttribute(node, "perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
    const inverse = perm.map((_, axis) => perm.indexOf(axis));
    return [b.op("Transpose", [dy], { perm: inverse })];
  },

  Expand: ({ b, dy, node, input, dims }) => [sumTo(b, dy, dims(node.outputs[0] ?? ""), dims(input(0)))],

  Cast: cast,
  CastLike: cast,
};
