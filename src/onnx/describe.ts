/** @file What `wildmark info` says of a model: a pure function from a model to plain data. */

import { WildmarkError } from "../core/errors.js";
import { elementCount } from "../core/tensor.js";
import { type Classifier, findClassifier } from "./classifier.js";
import { type Dim, operatorName, type ValueInfo } from "./graph.js";
import type { Model, ModelOrigin } from "./model.js";
import { storedTensors } from "./traverse.js";

export interface ModelDescription {
  readonly origin: ModelOrigin;
  /** Version of each operator set by domain; the standard one is "". */
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** How the image input lays out its axes; undefined where that cannot be told. */
  readonly layout: Layout | undefined;
  /** How many nodes of each operator, most frequent first. */
  readonly operators: readonly { readonly operator: string; readonly count: number }[];
  /** Elements of all floating-point tensors that the model stores. */
  readonly parameters: number;
  /** The weights that training would change, with their shapes. */
  readonly trainable: readonly { readonly name: string; readonly dims: readonly number[] }[];
  /** Elements of all of `trainable`. */
  readonly trainableParameters: number;
  /** What training and WILD make of the model; undefined where it is no classifier that Wildmark can use. */
  readonly classifier: Classifier | undefined;
  /** Why there is no `classifier`. */
  readonly problem: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** `NCHW` and `NHWC` are images with channels, `NHW` images without, `flat` rows of numbers. */
export type Layout = "NCHW" | "NHWC" | "NHW" | "flat";

/** Describes any decoded model, also one that is no classifier. */
export function describeModel(model: Model): ModelDescription {
  const { graph, origin, metadata } = model;
  const stored = storedTensors(graph);
  const [input] = graph.inputs;
  let classifier: Classifier | undefined;
  let problem: string | undefined;
  try {
    classifier = findClassifier(graph);
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    problem = error.message;
  }
  const trainable = (classifier?.trainable ?? []).map((name) => ({ name, dims: stored.get(name)?.dims ?? [] }));
  const floats = [...stored.values()].filter(({ type }) => type.startsWith("float") || type === "bfloat16");
  return {
    origin,
    opsets: Object.fromEntries(graph.opsets),
    inputs: graph.inputs,
    outputs: graph.outputs,
    layout: input === undefined ? undefined : guessLayout(input.dims),
    operators: countOperators(model),
    parameters: totalElements(floats),
    trainable,
    trainableParameters: totalElements(trainable),
    classifier,
    problem,
    metadata: Object.fromEntries(metadata),
  };
}

/**
 * Guesses the layout of an image input from its dimensions: images have 1, 3 or 4 channels.
 *
 * @returns undefined where the rank is unknown or both or neither axis could be the channels.
 */
export function guessLayout(dims: readonly Dim[] | undefined): Layout | undefined {
  if (dims === undefined) return undefined;
  if (dims.length === 2) return "flat";
  if (dims.length === 3) return dims[1] === 1 || dims[2] === 1 ? "flat" : "NHW";
  if (dims.length !== 4) return undefined;
  const first = mayBeChannels(dims[1]);
  const last = mayBeChannels(dims[3]);
  if (first === last) return undefined;
  return first ? "NCHW" : "NHWC";
}

function mayBeChannels(dim: Dim): boolean {
  return dim === 1 || dim === 3 || dim === 4;
}

function countOperators({ graph }: Model): { readonly operator: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const node of graph.nodes) counts.set(operatorName(node), (counts.get(operatorName(node)) ?? 0) + 1);
  return [...counts]
    .map(([operator, count]) => ({ operator, count }))
    .sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

function totalElements(tensors: Iterable<{ readonly dims: readonly number[] }>): number {
  let total = 0;
  for (const { dims } of tensors) total += elementCount(dims);
  return total;
}
