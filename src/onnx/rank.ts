/** @file The rank of a value where it can be told without inferring shapes. */

import type { Graph, Node } from "./graph.js";
import { isOperator, storedTensors } from "./traverse.js";

/** Operators whose output has the rank of their first input. */
const KEEPS_RANK: readonly string[] = [
  ...["Identity", "Dropout", "Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Cast", "Neg"],
  ...["Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization"],
  ...["LayerNormalization", "GroupNormalization", "InstanceNormalization", "LRN", "Elu", "Selu", "PRelu", "HardSwish"],
];

/** The ranks of those values of a graph for which declarations, or a few simple operators, tell it. */
export function knownRanks(graph: Graph): ReadonlyMap<string, number> {
  const ranks = new Map<string, number>();
  for (const [name, { dims }] of storedTensors(graph)) ranks.set(name, dims.length);
  for (const { name, dims } of [...graph.inputs, ...graph.outputs])
    if (dims !== undefined) ranks.set(name, dims.length);
  for (const node of graph.nodes) {
    const [output = ""] = node.outputs;
    const rank = rankAfter(node, ranks, graph);
    if (rank !== undefined && !ranks.has(output)) ranks.set(output, rank);
  }
  return ranks;
}

function rankAfter(node: Node, ranks: ReadonlyMap<string, number>, graph: Graph): number | undefined {
  const [first = "", second = ""] = node.inputs;
  const [a, b] = [ranks.get(first), ranks.get(second)];
  if (isOperator(node, "Gemm", "Flatten")) return 2;
  if (isOperator(node, ...KEEPS_RANK)) return a;
  if (isOperator(node, "Add", "Sub", "Mul", "Div"))
    return a === undefined || b === undefined ? undefined : Math.max(a, b);
  if (isOperator(node, "MatMul")) return b === 2 ? a : undefined;
  if (isOperator(node, "Reshape")) return graph.initializers.get(second)?.dims[0];
  return undefined;
}
