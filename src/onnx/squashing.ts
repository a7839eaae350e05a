/**
 * @file The last step that turns scores into probabilities, as one operator or spelled out in several, as exporters of
 * old TensorFlow, CNTK and hand-written models leave it. Training wants the scores before it.
 *
 * Every form looked for keeps the order of the classes, so that answers stay what they are.
 */

import type { Node } from "./graph.js";
import { isOperator } from "./traverse.js";

/** Last steps that squash the scores of a class without changing which is largest. */
const OPERATORS: readonly string[] = ["Softmax", "LogSoftmax", "Sigmoid"];

type Producers = ReadonlyMap<string, Node>;

/**
 * The scores that `value` is a squashing of; undefined where it is none. Looks through one step: a log of a softmax is
 * two.
 */
export function squashedScores(value: string, producers: Producers): string | undefined {
  const node = producers.get(value);
  if (node === undefined) return undefined;
  const [first = "", second = ""] = node.inputs;
  if (isOperator(node, ...OPERATORS)) return first;
  if (isOperator(node, "Log")) return squashedScores(first, producers) === undefined ? undefined : first;
  if (isOperator(node, "Div")) return normalisedBy(first, second, producers);
  if (isOperator(node, "Mul")) {
    for (const [share, inverse] of [[first, second] as const, [second, first] as const]) {
      const reciprocal = producers.get(inverse);
      const [total = ""] = reciprocal?.inputs ?? [];
      if (reciprocal !== undefined && isOperator(reciprocal, "Reciprocal"))
        return normalisedBy(share, total, producers);
    }
    return undefined;
  }
  if (isOperator(node, "Exp")) {
    // exp of a log-softmax
    const inner = producers.get(first);
    return inner !== undefined && isLogOfShare(inner, producers) ? first : undefined;
  }
  if (isOperator(node, "Sub")) return logOfShare(node, producers);
  return undefined;
}

/** exp z / Σ exp z, with or without the largest z taken off first. */
function normalisedBy(share: string, total: string, producers: Producers): string | undefined {
  const exponential = producers.get(share);
  const [scores = ""] = exponential?.inputs ?? [];
  if (exponential === undefined || !isOperator(exponential, "Exp") || !isSumOf(total, share, producers))
    return undefined;
  return withoutLargest(scores, producers);
}

/** z − log Σ exp z, with or without the largest z taken off first. */
function logOfShare(node: Node, producers: Producers): string | undefined {
  const [scores = "", subtracted = ""] = node.inputs;
  const log = producers.get(subtracted);
  const [inside = ""] = log?.inputs ?? [];
  if (log === undefined) return undefined;
  if (isOperator(log, "ReduceLogSumExp") && inside === scores) return withoutLargest(scores, producers);
  const sum = producers.get(inside);
  const exponential = producers.get(sum?.inputs[0] ?? "");
  const isLogSumExp =
    isOperator(log, "Log") &&
    sum !== undefined &&
    isOperator(sum, "ReduceSum") &&
    exponential !== undefined &&
    isOperator(exponential, "Exp") &&
    exponential.inputs[0] === scores;
  return isLogSumExp ? withoutLargest(scores, producers) : undefined;
}

function isLogOfShare(node: Node, producers: Producers): boolean {
  return isOperator(node, "LogSoftmax") || (isOperator(node, "Sub") && logOfShare(node, producers) !== undefined);
}

function isSumOf(total: string, share: string, producers: Producers): boolean {
  const sum = producers.get(total);
  return sum !== undefined && isOperator(sum, "ReduceSum") && sum.inputs[0] === share;
}

/** z where `value` is z − max z; else `value`. */
function withoutLargest(value: string, producers: Producers): string {
  const node = producers.get(value);
  if (node === undefined || !isOperator(node, "Sub")) return value;
  const [scores = "", largest = ""] = node.inputs;
  let maximum = producers.get(largest);
  // Gradients do not flow through the maximum in some frameworks, which leaves a copy.
  while (maximum !== undefined && isOperator(maximum, "Identity")) maximum = producers.get(maximum.inputs[0] ?? "");
  return maximum !== undefined && isOperator(maximum, "ReduceMax") && maximum.inputs[0] === scores ? scores : value;
}
