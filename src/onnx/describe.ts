/** @file What `wildmark info` says of a model: a pure function from a model to plain data. */

import { WildmarkError } from "../core/errors.js";
import { elementCount } from "../core/tensor.js";
import { canonicalGraph } from "./canonical.js";
import { type Classifier, findClassifier, graphOfOutput } from "./classifier.js";
import { operatorName, type ValueInfo } from "./graph.js";
import type { Head } from "./head.js";
import { modelPreprocessing } from "./image-graph.js";
import type { Model, ModelOrigin } from "./model.js";
import { ownAnswer } from "./own-answer.js";
import { ownInput } from "./own-input.js";
import type { ResolvedPreprocessing } from "./preprocessing.js";
import { storedTensors } from "./traverse.js";

export interface ModelDescription {
  readonly origin: ModelOrigin;
  /** Version of each operator set by domain; the standard one is "". */
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** How the images must be given to the model, and who says so. */
  readonly preprocessing: ResolvedPreprocessing;
  /** What is said of how its answers are read. */
  readonly head: Head;
  /** What reading the file changed. */
  readonly notes: readonly string[];
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
  /** Whether it can be asked for the class of an image, be it a classifier that could train or not. */
  readonly askable: boolean;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Describes any decoded model, also one that is no classifier. */
export function describeModel(model: Model): ModelDescription {
  const { graph, origin, metadata } = model;
  const stored = storedTensors(graph);
  let classifier: Classifier | undefined;
  let problem: string | undefined;
  try {
    // Operator sets and forms that cannot be used, on the way to the output that was chosen.
    canonicalGraph(model.head.output === undefined ? graph : graphOfOutput(graph, model.head.output));
    classifier = findClassifier(graph, model.head);
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
    preprocessing: modelPreprocessing(model),
    head: model.head,
    notes: model.notes,
    operators: countOperators(model),
    parameters: totalElements(floats),
    trainable,
    trainableParameters: totalElements(trainable),
    classifier,
    problem,
    askable: classifier !== undefined || isAskable(model),
    metadata: Object.fromEntries(metadata),
  };
}

/** Any images will do: others are made to fit. */
const SOME_IMAGES = { channels: 3, height: 32, width: 32 };

function isAskable(model: Model): boolean {
  try {
    ownInput(model, SOME_IMAGES);
    ownAnswer(model);
    return true;
  } catch (error) {
    if (error instanceof WildmarkError) return false;
    throw error;
  }
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
