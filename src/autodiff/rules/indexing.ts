/** @file Gradients of operators that take elements from, or put them at, places that a tensor of indices names. */

import { WildmarkError } from "../../core/errors.js";
import { elementCount, int64 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { describeNode, intAttribute, stringAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRule, GradientRules } from "../rule.js";

export const indexingRules: GradientRules = {
  GatherND: (context) => {
    const { b, dy, input, dims } = context;
    return [b.op("ScatterND", [zeros(b, dims(input(0))), placesOf(context), dy], { reduction: "add" })];
  },

  ScatterND: scatter("GatherND", () => ({})),
  ScatterElements: scatter("GatherElements", ({ node }) => ({ axis: intAttribute(node, "axis", 0) })),

  /** The places of the largest elements are data; the gradient of each goes to where it came from. */
  TopK: ({ b, dy, node, input, dims }) => {
    const [, indices = ""] = node.outputs;
    if (indices === "") {
      throw new WildmarkError(
        "unsupported-operator",
        `${describeNode(node)} does not give its indices, which its gradient needs.`,
        { hint: "Export the model with both outputs of TopK, or freeze what lies before this node." },
      );
    }
    return [b.op("ScatterElements", [zeros(b, dims(input(0))), indices, dy], { axis: intAttribute(node, "axis", -1) })];
  },
};

/** What was overwritten gets no gradient, what overwrote it gets what has arrived there; with "add" both get it. */
function scatter(
  gather: string,
  attributesOf: (context: GradientContext) => Readonly<Record<string, number>>,
): GradientRule {
  return (context) => {
    const { b, dy, node, input, needs, dims } = context;
    const reduction = stringAttribute(node, "reduction", "none");
    if (reduction !== "none" && reduction !== "add") {
      throw new WildmarkError(
        "unsupported-operator",
        `${describeNode(node)} reduces by "${reduction}"; there is a gradient rule for "none" and "add" only.`,
        { hint: "Freeze what lies before it: train only the weights that come after this node." },
      );
    }
    const attributes = attributesOf(context);
    const kept = (): string =>
      reduction === "add" ? dy : b.op(node.opType, [dy, input(1), zeros(b, dims(input(2)))], attributes);
    return [needs(0) ? kept() : undefined, undefined, needs(2) ? b.op(gather, [dy, input(1)], attributes) : undefined];
  };
}

/** The indices of a GatherND with those of its batch axes, which batch_dims leaves out, put in front. */
function placesOf({ b, node, input, dims }: GradientContext): string {
  const batchDims = intAttribute(node, "batch_dims", 0);
  if (batchDims === 0) return input(1);
  const outer = dims(input(1)).slice(0, -1);
  const coordinates = Array.from({ length: elementCount(outer) }, (_, flat) =>
    Array.from({ length: batchDims }, (_, axis) => {
      const inner = elementCount(outer.slice(axis + 1));
      return Math.floor(flat / inner) % (outer[axis] ?? 1);
    }),
  );
  const batch = b.initializer("batch_places", int64([...outer, batchDims], coordinates.flat()));
  return b.op("Concat", [batch, input(1)], { axis: outer.length });
}

function zeros(b: GraphBuilder, dims: readonly number[]): string {
  return b.op("ConstantOfShape", [b.ints(dims)], {}, { name: "zeros" });
}
