/**
 * @file Turns what an export left in training mode into inference: batch normalisation that normalises by the batch it
 * sees, and dropout that drops.
 *
 * Exports for training (PyTorch's `TrainingMode.TRAINING`) are handed on as models, and answer by what stands beside an
 * image, or at random. Until opset 14 a BatchNormalization trains where it has more than one output; since then an
 * attribute says so. Dropout trains where its third input is true.
 */

import type { GraphProto, ModelProto, NodeProto, TensorProto } from "./onnx_pb.js";
import { tensorFromProto } from "./tensor-proto.js";

export interface Settled {
  readonly batchNorms: number;
  readonly dropouts: number;
}

/** Changes `model` in place; a node whose new statistics, or whose mask, something reads is left as it is. */
export function settleForInference({ graph, opsetImport }: ModelProto): Settled {
  let [batchNorms, dropouts] = [0, 0];
  if (graph === undefined) return { batchNorms, dropouts };
  const version = opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 0n;
  const read = readIn(graph, new Set());
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  for (const node of graph.node) {
    if (node.opType === "Constant") {
      const [held] = node.attribute.flatMap(({ t }) => (t === undefined ? [] : [t]));
      if (held !== undefined) stored.set(node.output[0] ?? "", held);
    }
    if (node.domain !== "" && node.domain !== "ai.onnx") continue;
    if (node.output.slice(1).some((name) => name !== "" && read.has(name))) continue;
    if (node.opType === "BatchNormalization" && trains(node, version)) {
      node.output = node.output.slice(0, 1);
      node.attribute = node.attribute.filter(({ name }) => name !== "training_mode");
      batchNorms++;
    } else if (node.opType === "Dropout" && isTrue(stored.get(node.input[2] ?? ""))) {
      node.input = node.input.slice(0, 2);
      node.output = node.output.slice(0, 1);
      dropouts++;
    }
  }
  return { batchNorms, dropouts };
}

function trains({ attribute, output }: NodeProto, version: bigint): boolean {
  if (version < 14n) return output.slice(1).some((name) => name !== "");
  return attribute.some(({ name, i }) => name === "training_mode" && i !== 0n);
}

function isTrue(tensor: TensorProto | undefined): boolean {
  return tensor !== undefined && tensorFromProto(tensor, tensor.name).data[0] === 1;
}

/** Every value that a node, a graph within one, or the caller reads. */
function readIn(graph: GraphProto, read: Set<string>): Set<string> {
  for (const { name } of graph.output) read.add(name);
  for (const node of graph.node) {
    for (const name of node.input) read.add(name);
    for (const { g, graphs } of node.attribute) {
      for (const inner of g === undefined ? graphs : [g, ...graphs]) readIn(inner, read);
    }
  }
  return read;
}
