/**
 * @file How the image flows through a graph to the scores: what is computed from it at all, what through learned layers,
 * and what past them.
 */

import { type Graph, type Node, operatorName } from "../onnx/graph.js";
import { imageValues, isOperator, producersOf, storedTensors } from "../onnx/traverse.js";

export interface Flow {
  readonly graph: Graph;
  readonly input: string;
  readonly output: string;
  readonly producers: ReadonlyMap<string, Node>;
  readonly readers: ReadonlyMap<string, readonly Node[]>;
  /** Values that are computed from what the image holds; its shape alone does not count. */
  readonly image: ReadonlySet<string>;
  /** Those that some way from the image reaches past all learned layers. */
  readonly past: ReadonlySet<string>;
  /** Those that some way from the image reaches through a learned layer. */
  readonly learned: ReadonlySet<string>;
  /** Values that lead to the scores. */
  readonly leading: ReadonlySet<string>;
  /** Of these, those that reach the scores on some way without another learned layer. */
  readonly late: ReadonlySet<string>;
  /** Nodes that multiply what comes from the image by learned weights. */
  readonly layers: ReadonlySet<Node>;
}

export function flowOf(graph: Graph, input: string, output: string): Flow {
  const image = imageValues(graph);
  const layers = new Set(learnedLayers(graph, image));
  const producers = producersOf(graph);
  const ofImage = (node: Node): boolean => node.inputs.some((name) => image.has(name));
  const past = new Set([input]);
  const learned = new Set<string>();
  for (const node of graph.nodes) {
    if (!node.outputs.some((name) => image.has(name))) continue;
    const through = layers.has(node);
    if (!through && node.inputs.some((name) => past.has(name))) addAll(past, node.outputs);
    if ((through && ofImage(node)) || node.inputs.some((name) => learned.has(name))) addAll(learned, node.outputs);
  }
  const leading = new Set([output]);
  const late = new Set([output]);
  for (const node of graph.nodes.toReversed()) {
    if (node.outputs.some((name) => leading.has(name))) addAll(leading, node.inputs);
    if (!layers.has(node) && node.outputs.some((name) => late.has(name))) addAll(late, node.inputs);
  }
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of new Set(node.inputs)) {
      const known = readers.get(name);
      if (known === undefined) readers.set(name, [node]);
      else known.push(node);
    }
  }
  return { graph, input, output, producers, readers, image, past, learned, leading, late, layers };
}

function addAll(set: Set<string>, names: readonly string[]): void {
  for (const name of names) if (name !== "") set.add(name);
}

/** Operators that multiply data by a matrix of weights. */
const MULTIPLYING = new Set([
  ...["Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "LSTM", "GRU", "RNN", "DeformConv"],
  ...["ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"],
  ...["com.microsoft.QGemm", "com.microsoft.MatMulNBits", "com.microsoft.FusedConv", "com.microsoft.FusedMatMul"],
  ...["com.microsoft.FusedGemm", "com.microsoft.Attention", "com.microsoft.DynamicQuantizeMatMul"],
]);

/** A weight of no more distinct values is drawn by hand: training leaves no two alike. */
export const FEW_VALUES = 3;

function learnedLayers(graph: Graph, image: ReadonlySet<string>): readonly Node[] {
  const distinct = kernelsOf(graph);
  return graph.nodes.filter(
    (node) =>
      MULTIPLYING.has(operatorName(node)) &&
      node.inputs.some((name) => image.has(name)) &&
      node.inputs.some((name) => !image.has(name) && (distinct.get(name) ?? 0) > FEW_VALUES),
  );
}

/** How many distinct values, up to four, the largest stored tensor holds that each value without an image is made of. */
function kernelsOf(graph: Graph): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [name, { data }] of storedTensors(graph)) {
    const seen = new Set<number | bigint>();
    for (const value of data) if (seen.add(value).size > FEW_VALUES) break;
    counts.set(name, seen.size);
  }
  for (const { inputs, outputs } of graph.nodes) {
    const most = Math.max(0, ...inputs.map((name) => counts.get(name) ?? 0));
    if (most > 0) for (const output of outputs) if (!counts.has(output)) counts.set(output, most);
  }
  return counts;
}

/** How findings call a node: by its name in the file, else by what it computes. */
export function nameOf(node: Node): string {
  return node.name || (node.outputs.find((name) => name !== "") ?? node.opType);
}

/** The names of nodes on a short way from the image through `through`, which are in graph order, to the scores. */
export function wayThrough(flow: Flow, through: readonly Node[]): readonly string[] {
  const [first] = through;
  const last = through.at(-1);
  if (first === undefined || last === undefined) return [];
  const before = backTo(flow, first, (name) => name === flow.input);
  const between = through.slice(1).flatMap((node, i) => {
    const from = through[i];
    const way = backTo(flow, node, (name) => from?.outputs.includes(name) ?? false);
    return way ?? [node];
  });
  const after = onTo(flow, last);
  return [...(before ?? [first]), ...between, ...after].map(nameOf);
}

/** Nodes from one that reads a value for which `from` holds, to `node`; undefined where there are none. */
function backTo(flow: Flow, node: Node, from: (name: string) => boolean): readonly Node[] | undefined {
  const next = new Map<Node, Node | undefined>([[node, undefined]]);
  for (const each of next.keys()) {
    if (each.inputs.some(from)) {
      const way: Node[] = [];
      for (let at: Node | undefined = each; at !== undefined; at = next.get(at)) way.push(at);
      return way;
    }
    for (const name of each.inputs) {
      const producer = flow.image.has(name) ? flow.producers.get(name) : undefined;
      if (producer !== undefined && !next.has(producer)) next.set(producer, each);
    }
  }
  return undefined;
}

/** Nodes after `node` on a shortest way to the scores. */
function onTo(flow: Flow, node: Node): readonly Node[] {
  const came = new Map<Node, Node | undefined>([[node, undefined]]);
  for (const each of came.keys()) {
    if (each.outputs.includes(flow.output)) {
      const way: Node[] = [];
      for (let at: Node | undefined = each; at !== undefined && at !== node; at = came.get(at)) way.unshift(at);
      return way;
    }
    for (const name of each.outputs) {
      if (!flow.leading.has(name)) continue;
      for (const reader of flow.readers.get(name) ?? []) if (!came.has(reader)) came.set(reader, each);
    }
  }
  return [];
}

/** Whether what a node makes meets, before any learned layer, what learned layers made. */
export function meetsLearned(node: Node, flow: Flow): boolean {
  const reached = new Set(node.outputs);
  for (const name of reached) {
    for (const reader of flow.readers.get(name) ?? []) {
      if (flow.layers.has(reader) || !reader.outputs.some((output) => flow.leading.has(output))) continue;
      if (reader.inputs.some((other) => flow.learned.has(other))) return true;
      for (const output of reader.outputs) reached.add(output);
    }
  }
  return false;
}

/** Operators that make a hard choice of what they are given. */
const HARD: readonly string[] = [
  ...["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "And", "Or", "Xor", "Not", "Where", "If"],
  ...["ArgMax", "ArgMin", "TopK", "OneHot", "Hardmax", "Sign", "Floor", "Ceil", "Round", "IsNaN", "IsInf", "Mod"],
  ...["ThresholdedRelu", "Shrink", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "NonZero"],
];

export function isHard(node: Node): boolean {
  return isOperator(node, ...HARD);
}
