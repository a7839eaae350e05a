/**
 * @file Gradient of the fused Attention of opset 23: softmax(scale · Q Kᵀ + mask) V, with heads packed into the last
 * axis or not, grouped queries, masks of numbers or booleans, causal or not.
 *
 * The probabilities are computed again, as fused attention does not give them.
 */

import { WildmarkError } from "../../core/errors.js";
import { sameDims } from "../../core/tensor.js";
import { describeNode, floatAttribute, intAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { sumTo } from "./broadcast.js";

export const attentionRules: GradientRules = {
  /** dV = Pᵀ dO, dS = P · (dO Vᵀ − Σ (dO Vᵀ) · P), dQ = scale · dS K, dK = scale · dSᵀ Q. */
  Attention: (context) => {
    refuseTheRest(context);
    const { b, dy, node, has, input, needs, dims } = context;
    const queryHeads = headsOf(context, 0);
    const q = split(context, input(0), dims(input(0)), queryHeads);
    const k = repeated(context, split(context, input(1), dims(input(1)), headsOf(context, 1)), queryHeads);
    const v = repeated(context, split(context, input(2), dims(input(2)), headsOf(context, 1)), queryHeads);
    const dO = split(context, dy, dims(node.outputs[0] ?? ""), queryHeads).name;
    const scale = b.scalar(floatAttribute(node, "scale", 1 / Math.sqrt(q.dims[3] ?? 1)));

    const scores = b.op("MatMul", [b.op("Mul", [q.name, scale]), transposed(context, k.name)]);
    const scoreDims = [...q.dims.slice(0, 3), k.dims[2] ?? 1];
    const p = b.op("Softmax", [masked(context, scores, scoreDims)], { axis: -1 });
    const dP = b.op("MatMul", [dO, transposed(context, v.name)]);
    const sum = b.op("ReduceSum", [b.op("Mul", [dP, p]), b.ints([-1])]);
    const dS = b.op("Mul", [p, b.op("Sub", [dP, sum])]);
    const scaled = needs(0) || needs(1) ? b.op("Mul", [dS, scale]) : dS;
    const back = (i: number, gradient: string): string =>
      merged(context, gradient, {
        heads: i === 0 ? q : i === 1 ? k : v,
        to: dims(input(i)),
        count: headsOf(context, i),
      });
    return [
      needs(0) ? back(0, b.op("MatMul", [scaled, k.name])) : undefined,
      needs(1) ? back(1, b.op("MatMul", [transposed(context, scaled), q.name])) : undefined,
      needs(2) ? back(2, b.op("MatMul", [transposed(context, p), dO])) : undefined,
      has(3) && needs(3) ? sumTo(b, dS, scoreDims, dims(input(3))) : undefined,
    ];
  },
};

/** [batch, heads, length, size] */
interface Heads {
  readonly name: string;
  readonly dims: readonly number[];
}

function headsOf({ node, input, dims }: GradientContext, i: number): number {
  const shape = dims(input(i));
  if (shape.length === 4) return shape[1] ?? 1;
  return intAttribute(node, i === 0 ? "q_num_heads" : "kv_num_heads", 1);
}

/** [batch, length, heads · size] as heads; what has four axes already is. */
function split({ b }: GradientContext, name: string, dims: readonly number[], heads: number): Heads {
  if (dims.length === 4) return { name, dims };
  const [batch = 1, length = 1, width = 1] = dims;
  const size = width / heads;
  const apart = b.op("Reshape", [name, b.ints([batch, length, heads, size])]);
  return { name: b.op("Transpose", [apart], { perm: [0, 2, 1, 3] }), dims: [batch, heads, length, size] };
}

/** Each head of keys and values once for every query head of its group. */
function repeated({ b }: GradientContext, { name, dims }: Heads, queryHeads: number): Heads {
  const [batch = 1, heads = 1, length = 1, size = 1] = dims;
  if (heads === queryHeads) return { name, dims };
  const group = b.op("Reshape", [name, b.ints([batch, heads, 1, length, size])]);
  const copies = b.op("Expand", [group, b.ints([batch, heads, queryHeads / heads, length, size])]);
  const grown = [batch, queryHeads, length, size];
  return { name: b.op("Reshape", [copies, b.ints(grown)]), dims: grown };
}

/** A gradient of heads as one of the input: summed over the groups, heads packed again. */
function merged(
  { b }: GradientContext,
  gradient: string,
  { heads, to, count }: { readonly heads: Heads; readonly to: readonly number[]; readonly count: number },
): string {
  const [batch = 1, all = 1, length = 1, size = 1] = heads.dims;
  let value = gradient;
  if (all !== count) {
    const groups = b.op("Reshape", [value, b.ints([batch, count, all / count, length, size])]);
    value = b.op("ReduceSum", [groups, b.ints([2])], { keepdims: 0 });
  }
  if (to.length === 4) return value;
  return b.op("Reshape", [b.op("Transpose", [value], { perm: [0, 2, 1, 3] }), b.ints(to)]);
}

function masked({ b, node, has, input, type }: GradientContext, scores: string, dims: readonly number[]): string {
  const [queries = 1, keys = 1] = dims.slice(2);
  const lowest = b.scalar(-1e30); // exp of it is 0 after any score is subtracted, and it is finite
  let value = scores;
  if (has(3)) {
    const isBool = type(input(3)) === "bool";
    value = isBool ? b.op("Where", [input(3), value, lowest]) : b.op("Add", [value, input(3)]);
  }
  if (intAttribute(node, "is_causal", 0) === 0) return value;
  const data = Uint8Array.from({ length: queries * keys }, (_, i) => Number(i % keys <= Math.floor(i / keys)));
  return b.op("Where", [b.initializer("causal", { type: "bool", dims: [queries, keys], data }), value, lowest]);
}

function transposed({ b }: GradientContext, value: string): string {
  return b.op("Transpose", [value], { perm: [0, 1, 3, 2] });
}

function refuseTheRest({ node, has, outputGradients, input, dims }: GradientContext): void {
  const [, ...others] = outputGradients;
  const keys = dims(input(1)).at(-2);
  const what =
    has(4) || has(5) || has(6)
      ? "continues a cache of keys and values"
      : floatAttribute(node, "softcap", 0) !== 0
        ? "caps its scores (softcap)"
        : others.some((gradient) => gradient !== undefined)
          ? "passes more than its first output on"
          : has(3) && !sameDims([dims(input(3)).at(-1) ?? 1], [keys ?? 1])
            ? "has a mask shorter than its keys"
            : "";
  if (what === "") return;
  throw new WildmarkError(
    "unsupported-operator",
    `${describeNode(node)} ${what}; there is no gradient rule for that.`,
    {
      hint:
        "Export the model in opset 21, which has attention as MatMul and Softmax, or freeze what lies " +
        "before this node.",
    },
  );
}
