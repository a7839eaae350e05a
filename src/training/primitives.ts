/**
 * @file The derivatives in a model's training graph that have several lowerings, each with the layer that it belongs
 * to: what `wildmark info --autotuning` shows.
 */

import { appendGradients } from "../autodiff/differentiate.js";
import { convGeometry } from "../autodiff/windows.js";
import type { ImageShape } from "../core/image.js";
import { elementCount, float32, sameDims } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import type { Graph, Node } from "../onnx/graph.js";
import { imageGraph } from "../onnx/image-graph.js";
import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { traceGraph } from "../runtime/trace.js";
import { batchNormForTraining } from "./batch-norm.js";

/**
 * Forward graph and gradients of all trainable weights, primitives in place. The objective is a stand-in: those on
 * scores and features have no convolution of their own.
 *
 * @param rows images that the model sees in a step, all views together.
 * @throws WildmarkError `bad-model` or `unsupported-operator` where the model cannot be trained.
 */
export async function gradientGraph(
  model: Model,
  shape: ImageShape,
  rows: number,
  options: RuntimeOptions = {},
): Promise<Graph> {
  const { graph, classifier } = imageGraph(model, shape);
  const dims = [rows, shape.channels, shape.height, shape.width];
  const input = { ...classifier.input, dims };
  const forward = batchNormForTraining(graph, "train").graph;
  const b = graphBuilder("gradients", { from: { ...forward, inputs: [input] } });
  const loss = b.op("ReduceSumSquare", [classifier.logits], { keepdims: 0 });
  const images = float32(dims, new Float32Array(elementCount(dims)));
  const trace = await traceGraph(b.build(), new Map([[input.name, images]]), options);
  appendGradients(b, { trace, loss, by: classifier.trainable });
  return b.build();
}

/**
 * What people call the layer that a primitive's node is a gradient of: the layer's kernel, or what a pooling gives; the
 * gradient that the node reads where neither is known.
 *
 * @param graph the node's.
 */
export function layerOf(graph: Graph, node: Node): string {
  const [first = "", second = ""] = node.inputs;
  switch (node.opType) {
    case "ConvGradInput":
      return second;
    case "ConvGradWeight": {
      // Several convolutions may read one value. A transposed one's gradient has its input in the second place.
      const { wDims } = convGeometry(node);
      const layer = graph.nodes.find(
        ({ opType, inputs: [read = "", kernel = ""] }) =>
          (opType === "Conv" ? read === first : opType === "ConvTranspose" && read === second) &&
          sameDims(graph.initializers.get(kernel)?.dims ?? [], wDims),
      );
      return layer?.inputs[1] ?? second;
    }
    default:
      return second || first;
  }
}
