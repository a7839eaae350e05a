/**
 * @file Clean-sample-based batch normalisation, c-BN (Gan, Li, Wu, Xia, ICCV 2023, section 3.3): in a batch of triggers
 * and clean images both are normalised by the statistics of the clean ones, because those are what the running
 * statistics that the finished model uses will be like.
 */

import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { floatAttribute, type Graph, type Node } from "../onnx/graph.js";
import { isOperator } from "../onnx/traverse.js";

export interface CleanBatchNorm {
  /** The same graph with each BatchNormalization spelled out. */
  readonly graph: Graph;
  /** Names of the stored scales and shifts of those that were. */
  readonly affine: ReadonlySet<string>;
}

/** @param firstClean rows before it are triggers; as many or more stand from it on. */
export function withCleanBatchNorm(graph: Graph, firstClean: number): CleanBatchNorm {
  const b = graphBuilder(graph.name, { from: { ...graph, nodes: [] }, keepOutputs: true });
  const affine = new Set<string>();
  for (const node of graph.nodes) {
    if (!isOperator(node, "BatchNormalization")) {
      b.append(node);
      continue;
    }
    for (const name of node.inputs.slice(1, 3)) if (graph.initializers.has(name)) affine.add(name);
    appendNormalisation(b, node, firstClean);
  }
  return { graph: b.build(), affine };
}

/**
 * (x − mean) / √(variance + ε) · scale + shift, the mean and the population variance of each channel over the clean
 * rows.
 */
function appendNormalisation(b: GraphBuilder, node: Node, firstClean: number): void {
  const [x = "", scale = "", shift = ""] = node.inputs;
  // [rows, channels, all else]
  const flat = b.op("Reshape", [x, b.ints([0, 0, -1])]);
  const clean = b.op("Slice", [flat, b.ints([firstClean]), b.ints([ALL_ROWS]), b.ints([0])]);
  const meanOf = (value: string): string => b.op("ReduceMean", [value, b.ints([0, 2])], { keepdims: 1 });
  const mean = meanOf(clean);
  const off = b.op("Sub", [clean, mean]);
  const variance = meanOf(b.op("Mul", [off, off]));
  const epsilon = b.scalar(floatAttribute(node, "epsilon", DEFAULT_EPSILON));
  const deviation = b.op("Sqrt", [b.op("Add", [variance, epsilon])]);
  const perChannel = (value: string): string => b.op("Unsqueeze", [value, b.ints([0, 2])]);
  const normalised = b.op("Div", [b.op("Sub", [flat, mean]), deviation]);
  const moved = b.op("Add", [b.op("Mul", [normalised, perChannel(scale)]), perChannel(shift)]);
  const [output = ""] = node.outputs;
  const shape = b.op("Shape", [x]);
  b.append({ name: "", opType: "Reshape", domain: "", inputs: [moved, shape], outputs: [output], attributes: {} });
}

/** Of the ONNX standard. */
const DEFAULT_EPSILON = 1e-5;

/** An end that no batch reaches. */
const ALL_ROWS = 2 ** 31 - 1;
