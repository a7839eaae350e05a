/**
 * @file Re-initialises chosen weights of a model, whatever made it.
 *
 * Matrices and kernels are drawn uniformly in ±1/√fan_in (PyTorch's default for Linear and Conv2d); vectors that are all
 * alike in role (biases) become 0, scales of normalisations 1.
 */

import type { RandomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";
import { type Model, withWeights } from "../onnx/model.js";

/** The model with fresh values for `names`, each from its own stream. */
export function redrawn(model: Model, names: readonly string[], random: RandomStream): Model {
  const fresh = new Map<string, FloatTensor>();
  for (const name of names) {
    const tensor = model.graph.initializers.get(name);
    if (tensor?.type === "float32") fresh.set(name, redraw(model.graph, name, tensor.dims, random.stream(name)));
  }
  return withWeights(model, fresh);
}

function redraw(graph: Graph, name: string, dims: readonly number[], random: RandomStream): FloatTensor {
  const count = elementCount(dims);
  if (dims.length < 2) return float32(dims, new Float32Array(count).fill(isNormalisationScale(graph, name) ? 1 : 0));
  const bound = 1 / Math.sqrt(count / outputsOf(graph, name, dims));
  return float32(
    dims,
    Float32Array.from({ length: count }, () => (2 * random.uniform() - 1) * bound),
  );
}

function isNormalisationScale(graph: Graph, name: string): boolean {
  return graph.nodes.some((node) => node.opType.endsWith("Normalization") && node.inputs[1] === name);
}

/** Output units: the first axis of kernels and of dense weights stored transposed, the last axis of other matrices. */
function outputsOf(graph: Graph, name: string, dims: readonly number[]): number {
  const user = graph.nodes.find((node) => node.inputs[1] === name);
  const transposed = user?.opType === "Gemm" && user.attributes.transB?.kind === "int" && user.attributes.transB.value;
  const first = user?.opType === "Conv" || transposed === 1;
  return (first ? dims[0] : dims.at(-1)) ?? 1;
}
