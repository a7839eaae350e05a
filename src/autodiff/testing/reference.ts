/**
 * @file A naive float64 interpreter of ONNX graphs: the oracle that gradients and lowerings are compared with.
 *
 * Independent of ONNX Runtime on purpose. Kernels lie in `reference/`, one file an operator family.
 */

import { type Tensor, toNumbers } from "../../core/tensor.js";
import { describeNode, type Graph, type Node } from "../../onnx/graph.js";
import { operatorName } from "../differentiate.js";
import { attentionKernels } from "./reference/attention.js";
import { convolutionKernels } from "./reference/convolution.js";
import { einsumKernels } from "./reference/einsum.js";
import { elementwiseKernels } from "./reference/elementwise.js";
import { imageNormalizationKernels } from "./reference/image-normalization.js";
import { indexingKernels } from "./reference/indexing.js";
import type { KernelContext, Kernels, RefTensor } from "./reference/kernel.js";
import { linearKernels } from "./reference/linear.js";
import { normalizationKernels } from "./reference/normalization.js";
import { poolingKernels } from "./reference/pooling.js";
import { rearrangeKernels } from "./reference/rearrange.js";
import { reductionKernels } from "./reference/reduction.js";
import { resizeKernels } from "./reference/resize.js";
import { shapeKernels } from "./reference/shape.js";

export type { RefTensor } from "./reference/kernel.js";

export const kernels: Kernels = {
  ...convolutionKernels,
  ...elementwiseKernels,
  ...imageNormalizationKernels,
  ...attentionKernels,
  ...einsumKernels,
  ...indexingKernels,
  ...linearKernels,
  ...normalizationKernels,
  ...poolingKernels,
  ...rearrangeKernels,
  ...reductionKernels,
  ...resizeKernels,
  ...shapeKernels,
};

/**
 * Computes every value of `graph`.
 *
 * @param feeds the graph's inputs, and initialisers that are to have another value.
 * @returns all values by name: feeds, initialisers and the outputs of all nodes.
 */
export function evaluate(graph: Graph, feeds: ReadonlyMap<string, RefTensor>): Map<string, RefTensor> {
  const values = new Map<string, RefTensor>();
  for (const [name, tensor] of graph.initializers) values.set(name, toReference(tensor));
  for (const [name, tensor] of feeds) values.set(name, tensor);
  for (const node of graph.nodes) {
    const results = evaluateNode(node, values);
    node.outputs.forEach((output, i) => {
      const result = results[i];
      if (output !== "" && result !== undefined) values.set(output, result);
    });
  }
  return values;
}

/** The same numbers in float64. */
export function toReference(tensor: Tensor): RefTensor {
  return { dims: tensor.dims, data: Float64Array.from(toNumbers(tensor)) };
}

function evaluateNode(node: Node, values: ReadonlyMap<string, RefTensor>): readonly RefTensor[] {
  const { value } = node.attributes;
  if (node.opType === "Constant" && value?.kind === "tensor") return [toReference(value.value)];
  const kernel = kernels[operatorName(node)];
  if (kernel === undefined) throw new Error(`the reference has no kernel for ${describeNode(node)}`);
  const optional = (i: number): RefTensor | undefined => values.get(node.inputs[i] ?? "");
  const input = (i: number): RefTensor => {
    const tensor = optional(i);
    if (tensor === undefined) throw new Error(`${describeNode(node)}: no value for its input ${i}`);
    return tensor;
  };
  const context: KernelContext = {
    node,
    optional,
    input,
    get all() {
      return node.inputs.map((_, i) => input(i));
    },
  };
  return kernel(context);
}
