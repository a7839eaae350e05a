/** @file Primitives' nodes small enough to measure in a test: one for each operator. */

import { WILDMARK_DOMAIN } from "../../../autodiff/primitives.js";
import { convAttributes, poolAttributes, type WindowAxis } from "../../../autodiff/windows.js";
import { type AttributeShorthand, graphBuilder } from "../../../onnx/builder.js";
import type { Graph, Node } from "../../../onnx/graph.js";

const tiling: WindowAxis = { input: 6, output: 3, kernel: 2, stride: 2, dilation: 1, begin: 0, end: 0 };
const padded: WindowAxis = { input: 6, output: 6, kernel: 3, stride: 1, dilation: 1, begin: 1, end: 1 };

const pool = { axes: [tiling, tiling], xDims: [2, 3, 6, 6], yDims: [2, 3, 3, 3] };
const conv = {
  axes: [padded, padded],
  xDims: [2, 3, 6, 6],
  wDims: [4, 3, 3, 3],
  yDims: [2, 4, 6, 6],
  group: 1,
};

/** A graph of each primitive by itself. */
export const primitives: Readonly<Record<string, Graph>> = {
  ConvGradInput: alone("ConvGradInput", { dy: conv.yDims, w: conv.wDims }, convAttributes(conv)),
  ConvGradWeight: alone("ConvGradWeight", { x: conv.xDims, dy: conv.yDims }, convAttributes(conv)),
  MaxPoolGrad: alone("MaxPoolGrad", { x: pool.xDims, y: pool.yDims, dy: pool.yDims }, poolAttributes(pool)),
  AveragePoolGrad: alone("AveragePoolGrad", { dy: pool.yDims }, { ...poolAttributes(pool), count_include_pad: 0 }),
};

export function graphOf(operator: string): Graph {
  const graph = primitives[operator];
  if (graph === undefined) throw new Error(`no graph of ${operator}`);
  return graph;
}

export function nodeOf(operator: string): Node {
  const [node] = graphOf(operator).nodes;
  if (node === undefined) throw new Error(`no node of ${operator}`);
  return node;
}

/** Windows that overlap, and of which the last runs past the image: ONNX's ceil_mode. */
export function ceilPoolNode(): Node {
  const axis: WindowAxis = { input: 8, output: 4, kernel: 3, stride: 2, dilation: 1, begin: 0, end: 0 };
  const geometry = { axes: [axis, axis], xDims: [2, 3, 8, 8], yDims: [2, 3, 4, 4] };
  const [node] = alone(
    "MaxPoolGrad",
    { x: geometry.xDims, y: geometry.yDims, dy: geometry.yDims },
    poolAttributes(geometry),
  ).nodes;
  if (node === undefined) throw new Error("no node");
  return node;
}

function alone(
  operator: string,
  inputs: Readonly<Record<string, readonly number[]>>,
  attributes: Readonly<Record<string, AttributeShorthand>>,
): Graph {
  const b = graphBuilder(operator);
  const names = Object.entries(inputs).map(([name, dims]) => b.input(name, "float32", dims));
  b.output(b.op(operator, names, attributes, { domain: WILDMARK_DOMAIN, name: "result" }));
  return b.build();
}
