/** @file What `wildmark info` says of a model: a pure function from a model to plain data. */

import { WildmarkError } from "../core/errors.js";
import { elementCount } from "../core/tensor.js";
import { canonicalGraph } from "./canonical.js";
import { type Classifier, findClassifier } from "./classifier.js";
import { operatorName, type ValueInfo } from "./graph.js";
import type { Model, ModelOrigin } from "./model.js";
import { type ResolvedPreprocessing, resolvePreprocessing } from "./preprocessing.js";
import { storedTensors } from "./traverse.js";

export interface ModelDescription {
  readonly origin: ModelOrigin;
  /** Version of each operator set by domain; the standard one is "". */
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** How the images must be given to the model, and who says so. */
  readonly preprocessing: ResolvedPreprocessing;
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
  readonly metadata: Readonly<Record<string, string>>;
}

/** Describes any decoded model, also one that is no classifier. */
export function describeModel(model: Model): ModelDescription {
  const { graph, origin, metadata } = model;
  const stored = storedTensors(graph);
  const [input] = graph.inputs;
  let classifier: Classifier | undefined;
  let problem: string | undefined;
  try {
    canonicalGraph(graph); // operator sets and forms that cannot be used
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
    preprocessing: resolvePreprocessing(model.preprocessing, input?.dims),
    notes: model.notes,
    operators: countOperators(model),
    parameters: totalElements(floats),
    trainable,
    trainableParameters: totalElements(trainable),
    classifier,
    problem,
    metadata: Object.fromEntries(metadata),
  };
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
