/**
 * @file Re-initialises chosen tensors of a model, whatever made it.
 *
 * Matrices and kernels are drawn uniformly in ±1/√fan_in (PyTorch's default for Linear and Conv2d). What scales or
 * divides (normalisations, running variances, products) becomes 1, what is added (biases, running means) becomes 0.
 */

import type { RandomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import { canonicalGraph } from "../onnx/canonical.js";
import { findClassifier } from "../onnx/classifier.js";
import type { Graph, Node } from "../onnx/graph.js";
import { type Model, withWeights } from "../onnx/model.js";
import { storedBefore } from "../onnx/train-from.js";
import { isOperator, storedTensors } from "../onnx/traverse.js";
import type { Attack } from "./method.js";

/**
 * The model with fresh values for the float32 tensors `names`, each from its own stream. What lies before `trainFrom`
 * keeps its values: training would not move them again.
 */
export function redrawn(model: Model, names: readonly string[], random: RandomStream, trainFrom?: string): Model {
  const stored = storedTensors(model.graph);
  const frozen = storedBefore(canonicalGraph(model.graph), trainFrom);
  const fresh = new Map<string, FloatTensor>();
  for (const name of names) {
    const tensor = frozen.has(name) ? undefined : stored.get(name);
    if (tensor?.type === "float32") fresh.set(name, redraw(model.graph, name, tensor.dims, random.stream(name)));
  }
  return withWeights(model, fresh);
}

/**
 * The attacked model's graph with all weights fresh, running statistics too: they hold what the marked model has seen.
 */
export function freshModel({ model, random, trainFrom }: Pick<Attack, "model" | "random" | "trainFrom">): Model {
  const { trainable, statistics } = findClassifier(model.graph, model.head);
  return redrawn(model, [...trainable, ...statistics], random.stream("init"), trainFrom);
}

function redraw(graph: Graph, name: string, dims: readonly number[], random: RandomStream): FloatTensor {
  const count = elementCount(dims);
  const user = graph.nodes.find((node) => node.inputs.includes(name));
  if (user === undefined || dims.length < 2 || !isKernel(user, name)) {
    return float32(dims, new Float32Array(count).fill(user !== undefined && isScale(user, name) ? 1 : 0));
  }
  const bound = 1 / Math.sqrt(count / outputsOf(user, dims));
  return float32(
    dims,
    Float32Array.from({ length: count }, () => (2 * random.uniform() - 1) * bound),
  );
}

/** Whether the user multiplies by the tensor as by a matrix; a view (Transpose, Reshape) counts, biases do not. */
function isKernel(user: Node, name: string): boolean {
  const adds = user.inputs.indexOf(name) === 2;
  return !adds && !isOperator(user, "Add", "Sub", "Sum", "Mul", "Div", "PRelu") && !isNormalisation(user);
}

/** Whether 1 is what leaves the data as it is: scales and variances of normalisations, factors, divisors. */
function isScale(user: Node, name: string): boolean {
  const input = user.inputs.indexOf(name);
  return isOperator(user, "Mul", "Div") || (isNormalisation(user) && (input === 1 || input === 4));
}

function isNormalisation(user: Node): boolean {
  return user.opType.endsWith("Normalization");
}

/**
 * Output units: the first axis of kernels and of dense weights stored transposed, the last axis of other matrices. For
 * ConvTranspose the first axis holds the inputs; PyTorch takes the rest for fan_in all the same.
 */
function outputsOf(user: Node, dims: readonly number[]): number {
  const { transB } = user.attributes;
  const transposed = isOperator(user, "Transpose") || (transB?.kind === "int" && transB.value === 1);
  const first = transposed || isOperator(user, "Conv", "ConvTranspose");
  return (first ? dims[0] : dims.at(-1)) ?? 1;
}
