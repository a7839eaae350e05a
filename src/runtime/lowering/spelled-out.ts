/**
 * @file Standard operators that another device than the CPU has not, or not quick enough, spelled out in others or turned
 * into primitives, which are lowered next.
 *
 * What a device lacks runs on the CPU otherwise, and data travels back and forth in each step; batch normalisation that
 * learns statistics does not run at all.
 */

import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { convAttributes, plannedWindows } from "../../autodiff/windows.js";
import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import { floatAttribute, type Graph, intAttribute, type Node } from "../../onnx/graph.js";
import type { Device } from "../options.js";

/** Appends what `node` computes and returns the names of its values; undefined where the device has the node itself. */
type Spelling = (b: GraphBuilder, node: Node, dims: KnownDims) => readonly string[] | undefined;

/** Dimensions of a value, where they are known. */
type KnownDims = (value: string) => readonly number[] | undefined;

/** With the statistics of the batch, what remains is the inference form. Any rank. */
const batchNormalization: Spelling = (b, node, dims) => {
  if (intAttribute(node, "training_mode", 0) !== 1) return undefined;
  const [x = "", scale = "", bias = "", runningMean = "", runningVariance = ""] = node.inputs;
  const [mean, variance] = statistics(b, x, dims(x));
  const { epsilon } = node.attributes;
  const y = b.op("BatchNormalization", [x, scale, bias, mean, variance], epsilon === undefined ? {} : { epsilon });
  const momentum = floatAttribute(node, "momentum", 0.9);
  const updated = (old: string, value: string): string => {
    if (momentum === 0) return value;
    return b.op("Add", [b.op("Mul", [old, b.scalar(momentum)]), b.op("Mul", [value, b.scalar(1 - momentum)])]);
  };
  return [y, updated(runningMean, mean), updated(runningVariance, variance)];
};

/** Mean and variance of each channel, as the primitives that its gradient asks for too, where there is one. */
function statistics(b: GraphBuilder, x: string, shape: readonly number[] | undefined): readonly [string, string] {
  if (shape !== undefined) {
    const primitive = (operator: string, ...inputs: readonly string[]): string =>
      b.op(operator, inputs, { shape }, { domain: WILDMARK_DOMAIN });
    const mean = primitive("ChannelMean", x);
    const centered = primitive("ChannelCenter", x, mean);
    return [mean, primitive("ChannelMean", centered, centered)];
  }
  const flat = b.op("Reshape", [x, b.ints([0, 0, -1])]);
  const mean = channelMean(b, flat);
  const centered = b.op("Sub", [flat, b.op("Reshape", [mean, b.ints([1, -1, 1])])]);
  return [mean, channelMean(b, b.op("Mul", [centered, centered]))];
}

/** [N, C, L] → [C]: all parts are equally large, so the mean of means is the mean. */
function channelMean(b: GraphBuilder, flat: string): string {
  const perImage = b.op("ReduceMean", [flat, b.ints([2])], { keepdims: 0 });
  return b.op("ReduceMean", [perImage, b.ints([0])], { keepdims: 0 });
}

/** The primitive, which knows its shapes. */
const conv: Spelling = (b, node, dims) => {
  const [x = "", w = ""] = node.inputs;
  const [xDims, wDims] = [dims(x), dims(w)];
  const axes = xDims && wDims && plannedWindows(node, xDims, wDims.slice(2));
  if (axes === undefined || xDims === undefined || wDims === undefined) return undefined;
  const yDims = [xDims[0] ?? 1, wDims[0] ?? 1, ...axes.map(({ output }) => output)];
  const geometry = { xDims, yDims, wDims, axes, group: intAttribute(node, "group", 1) };
  return [b.op("Conv", node.inputs, convAttributes(geometry), { domain: WILDMARK_DOMAIN })];
};

/** x − max − log Σ exp(x − max) */
const logSoftmax: Spelling = (b, node) => {
  const [x = ""] = node.inputs;
  const axis = b.ints([intAttribute(node, "axis", -1)]);
  const shifted = b.op("Sub", [x, b.op("ReduceMax", [x, axis])]);
  return [b.op("Sub", [shifted, b.op("Log", [b.op("ReduceSum", [b.op("Exp", [shifted]), axis])])])];
};

const forGpus: Readonly<Record<string, Spelling>> = {
  BatchNormalization: batchNormalization,
  Conv: conv,
  LogSoftmax: logSoftmax,
};

/** CUDA's provider could not be tried here: it gets what WebGPU's is known to take. */
const SPELLINGS: Readonly<Record<Device, Readonly<Record<string, Spelling>>>> = {
  cpu: {},
  webgpu: forGpus,
  cuda: forGpus,
};

/**
 * The same graph, of operator set 18 or newer, in operators that `device` has, as far as this file knows of others.
 *
 * @param dims of values, where they are known; then there are primitives among what comes back.
 */
export function spelledOut(
  graph: Graph,
  device: Device,
  dims: ReadonlyMap<string, readonly number[]> = new Map(),
): Graph {
  const spellings = SPELLINGS[device];
  if (!graph.nodes.some(({ opType, domain }) => domain === "" && opType in spellings)) return graph;
  const b = graphBuilder(graph.name, { from: graph, keepOutputs: true });
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const start = b.build().nodes.length;
    const values = node.domain === "" ? spellings[node.opType]?.(b, node, (value) => dims.get(value)) : undefined;
    if (values === undefined) nodes.push(node);
    else {
      const names = new Map(values.map((value, i) => [value, node.outputs[i] || value]));
      const spelled = b.build().nodes.slice(start);
      const rename = (name: string): string => names.get(name) ?? name;
      nodes.push(
        ...spelled.map((made) => ({ ...made, inputs: made.inputs.map(rename), outputs: made.outputs.map(rename) })),
      );
    }
  }
  return { ...b.build(), nodes };
}
