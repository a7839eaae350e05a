/**
 * @file Standard operators that ONNX Runtime has on the CPU but not on another device, spelled out in those that it has there.
 *
 * What a device lacks runs on the CPU otherwise, and data travels back and forth in each step; batch normalisation that
 * learns statistics does not run at all.
 */

import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import { floatAttribute, type Graph, intAttribute, type Node } from "../../onnx/graph.js";
import type { Device } from "../options.js";

/** Appends what `node` computes and returns the names of its values; undefined where the device has the node itself. */
type Spelling = (b: GraphBuilder, node: Node) => readonly string[] | undefined;

/** The statistics are means over positions, then over images; what remains is the inference form. Any rank. */
const batchNormalization: Spelling = (b, node) => {
  if (intAttribute(node, "training_mode", 0) !== 1) return undefined;
  const [x = "", scale = "", bias = "", runningMean = "", runningVariance = ""] = node.inputs;
  const flat = b.op("Reshape", [x, b.ints([0, 0, -1])]);
  const mean = channelMean(b, flat);
  const centered = b.op("Sub", [flat, b.op("Reshape", [mean, b.ints([1, -1, 1])])]);
  const variance = channelMean(b, b.op("Mul", [centered, centered]));
  const { epsilon } = node.attributes;
  const y = b.op("BatchNormalization", [x, scale, bias, mean, variance], epsilon === undefined ? {} : { epsilon });
  const momentum = floatAttribute(node, "momentum", 0.9);
  const updated = (old: string, value: string): string =>
    b.op("Add", [b.op("Mul", [old, b.scalar(momentum)]), b.op("Mul", [value, b.scalar(1 - momentum)])]);
  return [y, updated(runningMean, mean), updated(runningVariance, variance)];
};

/** [N, C, L] → [C]: all parts are equally large, so the mean of means is the mean. */
function channelMean(b: GraphBuilder, flat: string): string {
  const perImage = b.op("ReduceMean", [flat, b.ints([2])], { keepdims: 0 });
  return b.op("ReduceMean", [perImage, b.ints([0])], { keepdims: 0 });
}

/** x − max − log Σ exp(x − max) */
const logSoftmax: Spelling = (b, node) => {
  const [x = ""] = node.inputs;
  const axis = b.ints([intAttribute(node, "axis", -1)]);
  const shifted = b.op("Sub", [x, b.op("ReduceMax", [x, axis])]);
  return [b.op("Sub", [shifted, b.op("Log", [b.op("ReduceSum", [b.op("Exp", [shifted]), axis])])])];
};

const forGpus: Readonly<Record<string, Spelling>> = { BatchNormalization: batchNormalization, LogSoftmax: logSoftmax };

/** CUDA's provider could not be tried here: it gets what WebGPU's is known to take. */
const SPELLINGS: Readonly<Record<Device, Readonly<Record<string, Spelling>>>> = {
  cpu: {},
  webgpu: forGpus,
  cuda: forGpus,
};

/** The same graph, of operator set 18 or newer, in operators that `device` has, as far as this file knows of others. */
export function spelledOut(graph: Graph, device: Device): Graph {
  const spellings = SPELLINGS[device];
  if (!graph.nodes.some(({ opType, domain }) => domain === "" && opType in spellings)) return graph;
  const b = graphBuilder(graph.name, { from: graph, keepOutputs: true });
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const start = b.build().nodes.length;
    const values = node.domain === "" ? spellings[node.opType]?.(b, node) : undefined;
    if (values === undefined) nodes.push(node);
    else {
      const names = new Map(values.map((value, i) => [value, node.outputs[i] || value]));
      const spelled = b.build().nodes.slice(start);
      nodes.push(...spelled.map((made) => ({ ...made, outputs: made.outputs.map((name) => names.get(name) ?? name) })));
    }
  }
  return { ...b.build(), nodes };
}
