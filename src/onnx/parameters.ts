/**
 * @file Which stored tensors of a graph are weights, which are running statistics, and which are mere constants.
 *
 * ONNX does not say: a weight, an epsilon and a target shape are all stored tensors. What an operator does with an
 * input decides. Where that leaves doubt the tensor counts as a constant, because a weight left frozen costs little and
 * a trained epsilon spoils the model.
 */

import { elementCount } from "../core/tensor.js";
import { type Graph, intAttribute, type Node, operatorName } from "./graph.js";
import { isOperator, nodesBefore, storedTensors, valuesFrom } from "./traverse.js";

export interface Parameters {
  /** Names of the float32 tensors that training may change, in the order in which the graph first uses them. */
  readonly trainable: readonly string[];
  /** Running means and variances of batch normalisation: updated from batches, never by a gradient. */
  readonly statistics: readonly string[];
}

/** Inputs that hold weights wherever the node stands. A stored tensor in any other input is a constant. */
const WEIGHT_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  Einsum: [0, 1],
  BatchNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
  LayerNormalization: [1, 2],
  RMSNormalization: [1],
  PRelu: [1],
  Gather: [0],
  "com.microsoft.BiasGelu": [1],
  "com.microsoft.FastGelu": [1],
};

/**
 * Element by element, a stored operand is a bias or a scale only where it has more than one element and comes after a
 * layer with weights: single numbers are epsilons and factors (1/√d, the 3 and 6 of HardSwish), and what comes before
 * the first layer is preprocessing (mean and standard deviation).
 */
const ELEMENTWISE: readonly string[] = ["Add", "Sub", "Mul", "Div", "Sum"];

/** Operators through which a stored tensor stays the same weight in another shape: input 0 to output 0. */
const VIEWS: readonly string[] = [
  ...["Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Expand"],
  ...["Gather", "Slice"], // rows of an embedding, the first positions of a table
];

/** Operators with weights that make what follows a hidden value rather than a preprocessed input. */
const LAYERS: readonly string[] = ["Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "BatchNormalization"];

/** Sorts the stored tensors that `value` is computed from into weights and statistics. */
export function findParameters(graph: Graph, value: string): Parameters {
  const leafOf = weightLeaves(graph);
  const fromInput = valuesFrom(
    { ...graph, nodes: graph.nodes.filter((node) => !isOperator(node, "Shape", "Size")) }, // a shape is no data
    graph.inputs.map((input) => input.name),
  );
  const trainable = new Set<string>();
  const statistics = new Set<string>();
  const fixed = new Set<string>();
  const hidden = new Set<string>();

  for (const node of nodesBefore(graph, value)) {
    const onData = node.inputs.some((input) => fromInput.has(input));
    const afterLayer = node.inputs.some((input) => hidden.has(input));
    if (onData && (afterLayer || isOperator(node, ...LAYERS))) for (const output of node.outputs) hidden.add(output);
    if (isView(node) && !onData) continue; // counted where its result is used

    node.inputs.forEach((input, i) => {
      const leaf = leafOf.get(input);
      if (leaf === undefined) return;
      if (onData && isOperator(node, "BatchNormalization") && i >= 3) statistics.add(leaf.name);
      else if (onData && (isWeight(node, i, leaf.elements, afterLayer) || isToken(node, leaf, afterLayer)))
        trainable.add(leaf.name);
      else fixed.add(leaf.name);
    });
  }
  // Exporters store equal tensors once: what serves as a constant or a statistic too must not move with a gradient.
  const movable = [...trainable].filter((name) => !fixed.has(name) && !statistics.has(name));
  return { trainable: movable, statistics: [...statistics] };
}

/** The stored float32 tensors that `node` takes, directly or through views. */
export function storedInputs(graph: Graph, node: Node): string[] {
  const leafOf = weightLeaves(graph);
  return node.inputs.flatMap((input) => leafOf.get(input)?.name ?? []);
}

interface Leaf {
  /** The stored tensor's own name. */
  readonly name: string;
  readonly elements: number;
  readonly rank: number;
}

/** For each value that is a float32 stored tensor, or a view of one: that tensor. */
function weightLeaves(graph: Graph): ReadonlyMap<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  for (const [name, tensor] of storedTensors(graph)) {
    if (tensor.type === "float32") {
      leaves.set(name, { name, elements: elementCount(tensor.dims), rank: tensor.dims.length });
    }
  }
  for (const node of graph.nodes) {
    const leaf = leaves.get(node.inputs[0] ?? "");
    const [output] = node.outputs;
    if (leaf !== undefined && output !== undefined && isView(node)) leaves.set(output, leaf);
  }
  return leaves;
}

/**
 * A cast to float32 among them: of a stored float32 tensor it is none, and models of 16-bit floats are full of them.
 */
function isView(node: Node): boolean {
  return isOperator(node, ...VIEWS) || (isOperator(node, "Cast") && intAttribute(node, "to", 0) === FLOAT32);
}

/** `TensorProto.FLOAT` */
const FLOAT32 = 1;

function isWeight(node: Node, input: number, elements: number, afterLayer: boolean): boolean {
  if (isOperator(node, ...ELEMENTWISE)) return afterLayer && elements > 1;
  return WEIGHT_INPUTS[operatorName(node)]?.includes(input) ?? false;
}

/**
 * A class token stands among the tokens [N, T, D] of a hidden value; four axes would be an image, padded with zeros.
 */
function isToken(node: Node, { elements, rank }: Leaf, afterLayer: boolean): boolean {
  return isOperator(node, "Concat") && afterLayer && elements > 1 && rank <= 3;
}
