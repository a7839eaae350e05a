/** @file Attention of opset 23, without a cache: one query position of one head at a time. */

import { floatAttribute, intAttribute } from "../../../onnx/graph.js";
import { at, type Kernels, type RefTensor, tabulate } from "./kernel.js";

export const attentionKernels: Kernels = {
  /** A mask's element is added to the score; one of booleans would have to be told apart by its type, so none here. */
  Attention: ({ input, optional, node }) => {
    const packed = input(0).dims.length === 3;
    const queryHeads = packed ? intAttribute(node, "q_num_heads", 1) : (input(0).dims[1] ?? 1);
    const keyHeads = packed ? intAttribute(node, "kv_num_heads", 1) : (input(1).dims[1] ?? 1);
    const element = (x: RefTensor, heads: number, [n, h, l, d]: readonly [number, number, number, number]): number =>
      packed ? at(x, [n, l, h * ((x.dims[2] ?? 1) / heads) + d]) : at(x, [n, h, l, d]);
    const size = packed ? (input(0).dims[2] ?? 1) / queryHeads : (input(0).dims[3] ?? 1);
    const width = packed ? (input(2).dims[2] ?? 1) / keyHeads : (input(2).dims[3] ?? 1);
    const keys = input(1).dims.at(-2) ?? 1;
    const scale = floatAttribute(node, "scale", 1 / Math.sqrt(size));
    const causal = intAttribute(node, "is_causal", 0) === 1;

    const attend = (n: number, h: number, l: number, d: number): number => {
      const shared = Math.floor(h / (queryHeads / keyHeads));
      const weights = Array.from({ length: keys }, (_, s) => {
        if (causal && s > l) return 0;
        let score = 0;
        for (let i = 0; i < size; i++) {
          score += element(input(0), queryHeads, [n, h, l, i]) * element(input(1), keyHeads, [n, shared, s, i]);
        }
        const mask = optional(3);
        return Math.exp(scale * score + (mask === undefined ? 0 : at(mask, [n, h, l, s].slice(4 - mask.dims.length))));
      });
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return weights.reduce((y, weight, s) => y + (weight / total) * element(input(2), keyHeads, [n, shared, s, d]), 0);
    };
    const [batch = 1] = input(0).dims;
    const queries = input(0).dims.at(-2) ?? 1;
    return [
      packed
        ? tabulate([batch, queries, queryHeads * width], ([n = 0, l = 0, i = 0]) =>
            attend(n, Math.floor(i / width), l, i % width),
          )
        : tabulate([batch, queryHeads, queries, width], ([n = 0, h = 0, l = 0, d = 0]) => attend(n, h, l, d)),
    ];
  },
};
