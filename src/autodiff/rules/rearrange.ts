/**
 * @file Gradients of operators that put the elements of a tensor in other places by a fixed pattern, or repeat them.
 */

import { toNumbers } from "../../core/tensor.js";
import { intAttribute, stringAttribute } from "../../onnx/graph.js";
import type { GradientRules } from "../rule.js";

export const rearrangeRules: GradientRules = {
  /** [N, C·s², H, W] → [N, C, H·s, W·s]; SpaceToDepth is the inverse of mode DCR, ONNX has none of mode CRD. */
  DepthToSpace: ({ b, dy, node, input, dims }) => {
    const blocksize = intAttribute(node, "blocksize", 1);
    if (stringAttribute(node, "mode", "DCR") === "DCR") return [b.op("SpaceToDepth", [dy], { blocksize })];
    const [n = 1, channels = 1, height = 1, width = 1] = dims(input(0));
    const c = channels / blocksize ** 2;
    const blocks = b.op("Reshape", [dy, b.ints([n, c, height, blocksize, width, blocksize])]);
    const stacked = b.op("Transpose", [blocks], { perm: [0, 1, 3, 5, 2, 4] });
    return [b.op("Reshape", [stacked, b.ints(dims(input(0)))])];
  },

  SpaceToDepth: ({ b, dy, node }) => [b.op("DepthToSpace", [dy], { blocksize: intAttribute(node, "blocksize", 1) })],

  /** Sums over the copies: each axis of r·d is seen as r copies of d. */
  Tile: ({ b, dy, input, dims, constant }) => {
    const from = dims(input(0));
    const repeats = toNumbers(constant(1));
    const tiled = from.flatMap((dim, axis) => (repeats[axis] === 1 ? [dim] : [repeats[axis] ?? 1, dim]));
    const copies: number[] = [];
    let next = 0;
    for (const repeat of repeats) {
      if (repeat !== 1) copies.push(next++);
      next++;
    }
    if (copies.length === 0) return [dy];
    const split = b.op("Reshape", [dy, b.ints(tiled)]);
    return [b.op("ReduceSum", [split, b.ints(copies)], { keepdims: 0 })];
  },

  /** Each element is part of all sums after it, so gradients are summed from the other end. */
  CumSum: ({ b, dy, node, input }) => {
    const reverse = 1 - intAttribute(node, "reverse", 0);
    return [b.op("CumSum", [dy, input(1)], { exclusive: intAttribute(node, "exclusive", 0), reverse })];
  },

  Trilu: ({ b, dy, node, input, has }) => [
    b.op("Trilu", has(1) ? [dy, input(1)] : [dy], { upper: intAttribute(node, "upper", 1) }),
  ],
};
