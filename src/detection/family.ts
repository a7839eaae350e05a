/**
 * @file Which models may be compared: those that compute alike and answer the same question, whatever their weights and
 * whatever their file calls things.
 */

import { createHash } from "node:crypto";
import { describeShape, type ImageShape } from "../core/image.js";
import { elementCount } from "../core/tensor.js";
import type { Node } from "../onnx/graph.js";
import { imageGraph } from "../onnx/image-graph.js";
import { layersOf } from "../onnx/layers.js";
import type { Model } from "../onnx/model.js";
import { nodesBefore } from "../onnx/traverse.js";

export interface ModelFamily {
  readonly shape: ImageShape;
  readonly classes: number;
  /** Layer by layer, such as "convolution 6 × 25, Relu, MaxPool, dense 10 × 84", as its hash: 16 hexadecimal digits. */
  readonly architecture: string;
}

/** What exporters write in one way or another without computing something else. */
const PLUMBING: ReadonlySet<string> = new Set([
  ...["Add", "Cast", "Concat", "Constant", "Dropout", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice"],
  ...["Squeeze", "Transpose", "Unsqueeze", "Div", "Sub", "Mul"],
]);

/** @throws WildmarkError as `imageGraph` does. */
export function familyOf(model: Model, shape: ImageShape, classes: number): ModelFamily {
  const { graph, classifier } = imageGraph(model, shape);
  const layers = new Map(layersOf(graph).map((layer) => [layer.node, layer]));
  const parts = nodesBefore(graph, classifier.logits).flatMap((node: Node): readonly string[] => {
    const layer = layers.get(node);
    if (layer === undefined) return PLUMBING.has(node.opType) ? [] : [node.opType];
    const dims = graph.initializers.get(layer.kernel)?.dims ?? [];
    const units = layer.unitAxis === undefined ? 0 : (dims[layer.unitAxis] ?? 0);
    return [`${layer.kind} ${units} × ${units === 0 ? elementCount(dims) : elementCount(dims) / units}`];
  });
  return { shape, classes, architecture: createHash("sha256").update(parts.join(", ")).digest("hex").slice(0, 16) };
}

export function sameFamily(a: ModelFamily, b: ModelFamily): boolean {
  return (
    a.architecture === b.architecture && a.classes === b.classes && describeShape(a.shape) === describeShape(b.shape)
  );
}
