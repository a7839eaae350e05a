/**
 * @file Floating-point operations of a model, counted from its graph: a multiplication and an addition for each product
 * in convolutions and dense layers. Everything else (normalisation, activations, pooling, the optimiser) counts as
 * nothing, as is usual, so shares of the SGEMM peak are a little too low rather than too high.
 */

import type { Trace } from "../src/autodiff/trace.js";
import type { ImageShape } from "../src/core/image.js";
import { elementCount, float32 } from "../src/core/tensor.js";
import type { Node } from "../src/onnx/graph.js";
import { imageGraph } from "../src/onnx/image-graph.js";
import type { Model } from "../src/onnx/model.js";
import { valuesFrom } from "../src/onnx/traverse.js";
import { traceGraph } from "../src/runtime/trace.js";

export interface Flops {
  /** Of one forward pass. */
  readonly forward: number;
  /**
   * Of one training step: forward, gradients to the weights, and gradients to what the layers read, which the first
   * layer does not need.
   */
  readonly step: number;
}

/** @param rows images that the model sees at once. */
export async function countFlops(model: Model, shape: ImageShape, rows: number): Promise<Flops> {
  const { graph, classifier } = imageGraph(model, shape);
  const dims = [rows, shape.channels, shape.height, shape.width];
  const input = { ...classifier.input, dims };
  const images = float32(dims, new Float32Array(elementCount(dims)));
  const trace = await traceGraph({ ...graph, inputs: [input] }, new Map([[input.name, images]]), { threads: 1 });
  const ofWeights = valuesFrom(graph, classifier.trainable);
  let forward = 0;
  let backward = 0;
  for (const node of graph.nodes) {
    const flops = flopsOf(node, trace);
    const [x = "", weight = ""] = node.inputs;
    forward += flops;
    backward += flops * (Number(ofWeights.has(weight)) + Number(ofWeights.has(x)));
  }
  return { forward, step: forward + backward };
}

function flopsOf(node: Node, trace: Trace): number {
  const dimsOf = (name: string | undefined): readonly number[] => trace.get(name ?? "")?.dims ?? [];
  const results = elementCount(dimsOf(node.outputs[0]));
  switch (node.opType) {
    case "Conv":
      return 2 * results * elementCount(dimsOf(node.inputs[1]).slice(1));
    case "Gemm":
      return 2 * results * (dimsOf(node.inputs[0])[1] ?? 0);
    default:
      return 0;
  }
}
