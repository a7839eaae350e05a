/**
 * @file The outline of a model: its nodes in layers as people draw them, and which layer feeds which.
 *
 * A convolution with its normalisation and activation is one layer, and so is a LayerNorm or a GELU that was exported
 * as nine nodes: what has one value entering and one leaving, and multiplies by no kernel on the way. Nodes that no
 * image enters (constants, arithmetic on shapes) belong to the layer that they serve. A node that is marked stands
 * alone, whatever it is, so that nothing marked hides in a layer.
 */

import { elementCount, type Tensor } from "../../core/tensor.js";
import { type Graph, type Node, operatorName } from "../../onnx/graph.js";
import { isOperator, storedTensors } from "../../onnx/traverse.js";

/** One step of a layer: a node, or nodes that are one thing together. */
export interface Part {
  /** "Conv", "LayerNorm" */
  readonly label: string;
  /** In graph order. */
  readonly nodes: readonly Node[];
}

export interface Layer {
  /** `input` and `output` stand for what is fed to the graph and what it hands on: they have no parts. */
  readonly kind: "input" | "output" | "nodes";
  /** From the input's side to the output's. */
  readonly parts: readonly Part[];
  /** Nodes that no image enters, and whose values this layer is the first to read. */
  readonly helpers: readonly Node[];
  /** The value that it hands on. */
  readonly value: string;
  /** Indices in the outline of the layers that feed it, in order. */
  readonly inputs: readonly number[];
  /** Elements of the stored float tensors that it is the first to read. */
  readonly parameters: number;
  /** Of those, how many training would change. */
  readonly trainable: number;
  /** Dimensions of the largest kernel that it multiplies by; undefined where it has none. */
  readonly kernel: readonly number[] | undefined;
}

/** The graph's inputs, then layers, each after those that feed it, then the graph's outputs. */
export type Outline = readonly Layer[];

/** A longer chain is drawn in several layers. */
const LARGEST_LAYER = 64;

/** Of a cone that is taken as one part. More nodes than this are no activation and no normalisation. */
const LARGEST_CONE = 24;

/**
 * @param trainable names of the weights that training would change.
 * @param marked whether a node is to stand alone.
 */
export function outlineOf(graph: Graph, { trainable = new Set(), marked = () => false }: OutlineOptions = {}): Outline {
  const stored = storedTensors(graph);
  const data = dataNodes(graph, marked);
  const wired = wiringOf(graph, data);
  const grown = layersOf(data, { ...wired, marked });
  const layerOf = new Map<string, number>();
  for (const [i, { name }] of graph.inputs.entries()) layerOf.set(name, i);
  for (const [i, parts] of grown.entries()) {
    for (const output of parts.flatMap(outputsOf)) layerOf.set(output, graph.inputs.length + i);
  }
  const feeding = (values: readonly string[]): readonly number[] =>
    [...new Set(values.flatMap((value) => layerOf.get(value) ?? []))].toSorted((a, b) => a - b);
  const counted = new Set<string>();
  const helpers = helpersOf(graph, new Set(data));
  const layers = grown.map((parts, i): Layer => {
    const nodes = parts.flatMap((part) => part.nodes);
    const serving = nodes.flatMap((node) => helpers.get(node) ?? []);
    const reads = [...nodes, ...serving].flatMap((node) => node.inputs);
    const weights = [...new Set([...reads, ...serving.flatMap((node) => node.outputs)])].flatMap((name) => {
      const tensor = stored.get(name);
      if (tensor === undefined || !isFloat(tensor) || counted.has(name)) return [];
      counted.add(name);
      return [{ name, size: elementCount(tensor.dims) }];
    });
    return {
      kind: "nodes",
      parts,
      helpers: serving,
      value: nodes.at(-1)?.outputs[0] ?? "",
      inputs: feeding(nodes.flatMap(wired.readsOf)).filter((from) => from !== graph.inputs.length + i),
      parameters: total(weights),
      trainable: total(weights.filter(({ name }) => trainable.has(name))),
      kernel: kernelOf(nodes, stored),
    };
  });
  return [
    ...graph.inputs.map(({ name }) => ({ ...NO_NODES, kind: "input" as const, value: name, inputs: [] })),
    ...layers,
    ...graph.outputs.map(({ name }) => ({
      ...NO_NODES,
      kind: "output" as const,
      value: name,
      inputs: feeding([name]),
    })),
  ];
}

const NO_NODES = { parts: [], helpers: [], parameters: 0, trainable: 0, kernel: undefined };

function outputsOf({ nodes }: Part): readonly string[] {
  return nodes.flatMap(({ outputs }) => outputs);
}

function total(weights: readonly { readonly size: number }[]): number {
  return weights.reduce((sum, { size }) => sum + size, 0);
}

export interface OutlineOptions {
  readonly trainable?: ReadonlySet<string>;
  readonly marked?: (node: Node) => boolean;
}

/** All nodes of a layer that an image enters, in graph order. */
export function nodesOf({ parts }: Layer): readonly Node[] {
  return parts.flatMap(({ nodes }) => nodes);
}

interface Wiring {
  readonly producers: ReadonlyMap<string, Node>;
  /** The nodes that read what a node computes. */
  readonly readersOf: (node: Node) => readonly Node[];
  /** The values of a node's inputs that depend on the image, each once. */
  readonly readsOf: (node: Node) => readonly string[];
  /** Whether the graph hands on what a node computes. */
  readonly isOutput: (node: Node) => boolean;
}

interface Ground extends Wiring {
  readonly marked: (node: Node) => boolean;
}

/** The nodes that an image enters, by more than its shape; those that hide a graph, which may read it, are among them. */
function dataNodes(graph: Graph, marked: (node: Node) => boolean): readonly Node[] {
  const reached = new Set(graph.inputs.map(({ name }) => name));
  const found = graph.nodes.filter((node) => {
    const hides = Object.values(node.attributes).some(({ kind }) => kind === "opaque");
    const reads = node.inputs.some((input) => reached.has(input)) && !isOperator(node, "Shape", "Size");
    if (!reads && !hides && !marked(node)) return false;
    for (const output of node.outputs) if (output !== "") reached.add(output);
    return true;
  });
  return found.length > 0 ? found : graph.nodes;
}

function wiringOf(graph: Graph, data: readonly Node[]): Wiring {
  const producers = new Map<string, Node>();
  for (const node of data) for (const output of node.outputs) if (output !== "") producers.set(output, node);
  const known = new Set([...producers.keys(), ...graph.inputs.map(({ name }) => name)]);
  const readers = new Map<Node, Node[]>();
  const readsOf = (node: Node): readonly string[] => [...new Set(node.inputs.filter((input) => known.has(input)))];
  for (const node of data) {
    for (const value of readsOf(node)) {
      const producer = producers.get(value);
      if (producer !== undefined) readers.set(producer, [...(readers.get(producer) ?? []), node]);
    }
  }
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return {
    producers,
    readersOf: (node) => readers.get(node) ?? [],
    readsOf,
    isOutput: (node) => node.outputs.some((output) => outputs.has(output)),
  };
}

/** All layers, each after those that feed it: a layer is done with its last node, and what reads it reads that one. */
function layersOf(data: readonly Node[], ground: Ground): readonly (readonly Part[])[] {
  const owned = new Set<Node>();
  const grown: (readonly Part[])[] = [];
  for (const root of data.toReversed()) {
    if (owned.has(root)) continue;
    const parts = layerBefore(root, ground);
    for (const { nodes } of parts) for (const node of nodes) owned.add(node);
    grown.push(parts);
  }
  return grown.toReversed();
}

/** The layer that ends in `root`, as far back as it goes. */
function layerBefore(root: Node, ground: Ground): readonly Part[] {
  const { producers, readsOf, marked } = ground;
  const taken = new Set([root]);
  let parts: Part[] = [partOf([root])];
  if (marked(root) || !isMinor(root, ground)) return parts;
  for (;;) {
    const entries = entriesOf(taken, ground);
    const [entry, ...others] = entries;
    if (entry === undefined || taken.size >= LARGEST_LAYER) return parts;
    if (others.length > 0) {
      const [join, ...after] = parts;
      const cone = coneOf(taken, ground);
      if (join === undefined || cone === undefined) return parts;
      for (const node of cone) taken.add(node);
      // A cone on a cone is one thing: the mean is taken off before the deviation is divided by.
      const [next, ...rest] = after;
      const joined = [...cone, ...join.nodes];
      const goesOn = join.nodes.length === 1 && next !== undefined && next.nodes.length > 1;
      parts = goesOn ? [partOf([...joined, ...next.nodes]), ...rest] : [partOf(joined), ...after];
      continue;
    }
    const producer = producers.get(entry);
    if (producer === undefined || marked(producer) || !leadsInto(producer, taken, ground)) return parts;
    taken.add(producer);
    parts = [partOf([producer]), ...parts];
    if (!isMinor(producer, ground)) return parts;
    // Where branches meet and no cone closes them, the layer begins.
    if (readsOf(producer).length > 1 && coneOf(taken, ground) === undefined) return parts;
  }
}

/** The values that enter a set of nodes from elsewhere. */
function entriesOf(taken: ReadonlySet<Node>, { producers, readsOf }: Ground): readonly string[] {
  const outside = [...taken].flatMap(readsOf).filter((value) => {
    const producer = producers.get(value);
    return producer === undefined || !taken.has(producer);
  });
  return [...new Set(outside)];
}

/**
 * The nodes to be added to `taken`, in graph order, so that a single value enters: those that lead nowhere else and
 * multiply by no kernel. Undefined where there are none such.
 */
function coneOf(taken: ReadonlySet<Node>, ground: Ground): readonly Node[] | undefined {
  const all = new Set(taken);
  const added: Node[] = [];
  for (;;) {
    const entries = entriesOf(all, ground);
    if (entries.length === 1) return added.length === 0 ? undefined : added.toReversed();
    const next = entries
      .map((value) => ground.producers.get(value))
      .find(
        (producer) =>
          producer !== undefined &&
          !ground.marked(producer) &&
          isMinor(producer, ground) &&
          leadsInto(producer, all, ground),
      );
    if (next === undefined || added.length === LARGEST_CONE) return undefined;
    all.add(next);
    added.push(next);
  }
}

function leadsInto(node: Node, taken: ReadonlySet<Node>, { readersOf, isOutput }: Ground): boolean {
  return !isOutput(node) && readersOf(node).every((reader) => taken.has(reader));
}

/** Operators that a layer may hold several of; all others are a layer's one main part. */
const MINOR: readonly string[] = [
  ...["Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Reciprocal", "Neg", "Abs", "Exp", "Log", "Erf", "Sum", "Mean"],
  ...["Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Gelu"],
  ...["Softplus", "Softsign", "Mish", "Clip", "Softmax", "LogSoftmax", "Min", "Max", "ThresholdedRelu"],
  ...["BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization", "LRN"],
  ...["LpNormalization", "RMSNormalization", "ReduceMean", "ReduceSum", "ReduceL2", "Identity", "Dropout", "Cast"],
  ...["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Pad", "MatMul", "Concat", "Split"],
  ...["Slice", "Gather", "QuantizeLinear", "DequantizeLinear"],
];

/** A product of two values that depend on the image is a meeting of branches; by a kernel, a layer of its own. */
function isMinor(node: Node, { readsOf }: Wiring): boolean {
  return isOperator(node, ...MINOR) && (!isOperator(node, "MatMul") || readsOf(node).length > 1);
}

function partOf(nodes: readonly Node[]): Part {
  const [only, ...others] = nodes;
  if (only !== undefined && others.length === 0) return { label: operatorName(only), nodes };
  return { label: nameOfCone(new Set(nodes.map(({ opType }) => opType))) ?? listed(nodes), nodes };
}

/** What a cone of these operators is called where it is well known. */
function nameOfCone(operators: ReadonlySet<string>): string | undefined {
  const has = (...names: readonly string[]): boolean => names.every((name) => operators.has(name));
  if (has("MatMul", "Softmax")) return "Attention";
  if (has("ReduceMean", "Sub", "Sqrt")) return "LayerNorm";
  if (has("Erf", "Mul")) return "GELU";
  if (has("Tanh", "Softplus", "Mul")) return "Mish";
  if (has("Tanh", "Pow", "Mul")) return "GELU";
  if (has("HardSigmoid", "Mul") || has("Add", "Clip", "Mul")) return "HardSwish";
  if (has("Sigmoid", "Mul") && operators.size === 2) return "SiLU";
  return undefined;
}

/** "Sub, Pow, Mul and 5 more" */
function listed(nodes: readonly Node[]): string {
  const names = [...new Set(nodes.map(operatorName))];
  const shown = names.slice(0, 3);
  return `${shown.join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`;
}

/** Nodes that no image enters, by the first node of the image's that needs them. */
function helpersOf(graph: Graph, data: ReadonlySet<Node>): ReadonlyMap<Node, readonly Node[]> {
  const free = new Map<string, Node>();
  for (const node of graph.nodes) {
    if (data.has(node)) continue;
    for (const output of node.outputs) free.set(output, node);
  }
  const placed = new Set<Node>();
  const found = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    if (!data.has(node)) continue;
    const helpers: Node[] = [];
    const open = [...node.inputs];
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      const helper = free.get(value);
      if (helper === undefined || placed.has(helper)) continue;
      placed.add(helper);
      helpers.push(helper);
      open.push(...helper.inputs);
    }
    if (helpers.length > 0) found.set(node, helpers.toReversed());
  }
  return found;
}

function kernelOf(nodes: readonly Node[], stored: ReadonlyMap<string, Tensor>): readonly number[] | undefined {
  const kernels = nodes
    .flatMap((node) => node.inputs)
    .map((name) => stored.get(name))
    .filter((tensor) => tensor !== undefined && isFloat(tensor) && tensor.dims.length >= 2)
    .map((tensor) => tensor?.dims ?? []);
  return kernels.toSorted((a, b) => elementCount(b) - elementCount(a))[0];
}

function isFloat({ type }: Tensor): boolean {
  return type.startsWith("float") || type === "bfloat16";
}
