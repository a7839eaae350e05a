/**
 * @file Which output of a model that is only asked holds its answer, and how an answer is read: scores, labels, one
 * score.
 */

import type { Tensor } from "../core/tensor.js";
import { describeDims } from "./classifier.js";
import type { ValueInfo } from "./graph.js";
import type { Head } from "./head.js";
import type { Model } from "./model.js";
import { notAsked } from "./own-input.js";
import { isOperator, producersOf } from "./traverse.js";

/** What stands for an answer that is none of the classes asked for; no model has so many. */
export const NO_CLASS = 65_535;

export interface OwnAnswer {
  readonly output: ValueInfo;
  /** How many outputs could be asked; the first is. */
  readonly candidates: number;
  /** Of a model with one score: above it the answer is class 1. */
  readonly threshold: number;
}

/**
 * The output that the head names, else the first that may hold one score a class, else the first that may hold labels.
 *
 * @throws WildmarkError `bad-model` where there is none.
 */
export function ownAnswer({ graph, head }: Model): OwnAnswer {
  const producers = producersOf(graph);
  const found = ((): { readonly output: ValueInfo; readonly candidates: number } => {
    if (head.output !== undefined) {
      const output = graph.outputs.find(({ name }) => name === head.output);
      if (output === undefined) throw notAsked(`"${head.output}" is no output of it`);
      return { output, candidates: 1 };
    }
    const [only, ...others] = graph.outputs;
    if (only !== undefined && others.length === 0) return { output: only, candidates: 1 };
    const numbers = graph.outputs.filter(({ type }) => type !== undefined && type !== "bool");
    const scores = numbers.filter((output) => isFloat(output) && mayBeScores(output));
    const candidates = scores.length > 0 ? scores : numbers.filter((output) => !isFloat(output) && mayBeLabels(output));
    const [output] = candidates;
    if (output !== undefined) return { output, candidates: candidates.length };
    const listed = graph.outputs.map(({ name, dims }) => `"${name}" ${describeDims(dims)}`).join(", ");
    throw notAsked(`none of its outputs (${listed}) looks like scores or labels`, "--output names the one that is.");
  })();
  let node = producers.get(found.output.name);
  while (node !== undefined && isOperator(node, "Identity", "Cast", "Squeeze", "Reshape", "Flatten")) {
    node = producers.get(node.inputs[0] ?? "");
  }
  return { ...found, threshold: node !== undefined && isOperator(node, "Sigmoid") ? 0.5 : 0 };
}

function isFloat({ type }: ValueInfo): boolean {
  return type === "float32" || type === "float64" || type === "float16";
}

function mayBeScores({ dims }: ValueInfo): boolean {
  return dims === undefined || (dims.length >= 2 && dims[1] !== 1 && dims.slice(2).every((dim) => dim === 1));
}

function mayBeLabels({ dims }: ValueInfo): boolean {
  return dims === undefined || dims.length === 1 || dims.slice(1).every((dim) => dim === 1);
}

/**
 * What a model answered to `rows` images, as numbers: [rows, K] scores, or [rows, 1] labels (`classOf` makes classes of
 * either).
 *
 * @throws WildmarkError `bad-model` where that is no answer to so many images.
 */
export function readAnswer(answer: Tensor | undefined, rows: number, { binary = false }: Head): ReadAnswer {
  if (answer === undefined || answer.type === "bool") throw notAsked("it answers no numbers");
  const { type, dims } = answer;
  const columns = answer.data.length / rows;
  const isBatch = dims[0] === rows || rows === 1;
  const inner = (dims[0] === rows ? dims.slice(1) : dims).filter((dim) => dim !== 1);
  if (!isBatch || !Number.isInteger(columns) || inner.length > 1) {
    throw notAsked(`its output is [${dims}] for ${rows} images; expected one score a class, [${rows},K], or labels`);
  }
  if (columns > NO_CLASS) throw notAsked(`it answers ${columns} classes; Wildmark takes up to ${NO_CLASS}`);
  const scores = Float32Array.from(answer.data, Number);
  if (columns > 1) return { kind: "scores", scores, columns };
  if (!type.startsWith("float") && type !== "bfloat16") return { kind: "labels", scores, columns };
  if (binary) return { kind: "one score", scores, columns };
  throw notAsked("it gives one score an image", "--binary says that it is that of class 1 against class 0.");
}

export interface ReadAnswer {
  readonly kind: "scores" | "labels" | "one score";
  /** [rows, columns]; labels are whole numbers. */
  readonly scores: Float32Array;
  readonly columns: number;
}

/**
 * The class that row `row` of an answer names; of equal scores the first. `NO_CLASS` where it is none that is asked
 * for.
 */
export function classOf({ kind, scores, columns }: ReadAnswer, row: number, head: Head, threshold: number): number {
  const first = scores[row * columns] ?? Number.NaN;
  const { classes } = head;
  if (kind === "scores") {
    const asked = classes ?? Array.from({ length: columns }, (_, i) => i);
    let best = 0;
    for (let i = 1; i < asked.length; i++) {
      const score = (of: number): number => scores[row * columns + (asked[of] ?? columns)] ?? Number.NEGATIVE_INFINITY;
      if (score(i) > score(best)) best = i;
    }
    return best;
  }
  const label = kind === "labels" ? first : first > threshold ? 1 : 0;
  const at = classes === undefined ? label : classes.indexOf(label);
  return at >= 0 && at < NO_CLASS ? at : NO_CLASS;
}
