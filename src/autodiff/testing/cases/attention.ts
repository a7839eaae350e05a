/** @file Checks of the rule in `rules/attention.ts`. */

import { float } from "../../../onnx/builder.js";
import type { Attribute } from "../../../onnx/graph.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

interface AttentionSpec {
  readonly q: readonly number[];
  readonly k: readonly number[];
  readonly v: readonly number[];
  readonly mask?: readonly number[];
  readonly attributes?: Readonly<Record<string, number | Attribute>>;
}

function attention(title: string, { q, k, v, mask, attributes = {} }: AttentionSpec): GradientCase {
  return gradientCase(title, {
    opset: 23,
    inputs: Object.fromEntries(
      Object.entries({ q, k, v, mask }).flatMap(([name, dims]) => (dims === undefined ? [] : [[name, { dims }]])),
    ),
    build: (g) => g.op("Attention", ["q", "k", "v", ...(mask === undefined ? [] : ["mask"])], attributes),
  });
}

const four = [2, 2, 3, 4];

export const attentionCases: GradientCases = {
  Attention: [
    attention("heads apart", { q: four, k: four, v: four }),
    attention("heads packed", {
      q: [2, 3, 8],
      k: [2, 5, 8],
      v: [2, 5, 6],
      attributes: { q_num_heads: 2, kv_num_heads: 2 },
    }),
    attention("causal, with a scale of its own", {
      q: four,
      k: four,
      v: [2, 2, 3, 5],
      attributes: { is_causal: 1, scale: float(0.3) },
    }),
    attention("a mask of numbers", { q: four, k: [2, 2, 5, 4], v: [2, 2, 5, 3], mask: [3, 5] }),
    attention("grouped queries, a mask for each head", {
      q: [1, 4, 3, 4],
      k: [1, 2, 3, 4],
      v: [1, 2, 3, 5],
      mask: [1, 4, 3, 3],
    }),
    attention("grouped queries, packed", {
      q: [1, 3, 8],
      k: [1, 3, 4],
      v: [1, 3, 4],
      attributes: { q_num_heads: 4, kv_num_heads: 2, is_causal: 1 },
    }),
  ],
};
