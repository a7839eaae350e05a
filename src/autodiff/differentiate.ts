/**
 * @file Reverse-mode differentiation of an ONNX graph into an ONNX graph.
 *
 * Walks the nodes between the wanted values and the loss backwards, asks each operator's rule for the gradients of its
 * inputs, and adds up what arrives at a value by several ways. Nothing is executed and no shape is inferred here.
 */

import { WildmarkError } from "../core/errors.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { describeNode, type Node } from "../onnx/graph.js";
import type { GradientContext } from "./rule.js";
import { gradientRules, nonDifferentiable } from "./rules/index.js";
import type { Trace } from "./trace.js";

export interface DifferentiateOptions {
  /** The values of the graph, as traced with the shapes the derived graph will run with. */
  readonly trace: Trace;
  /** Name of the scalar to differentiate. */
  readonly loss: string;
  /** Names of the values to differentiate it by. */
  readonly by: readonly string[];
  /** Values through which no gradient flows back (stop-gradient). */
  readonly stopAt?: ReadonlySet<string>;
}

/**
 * Appends to `b`, which already holds the forward graph, the nodes that compute d loss / d value.
 *
 * @returns the name of the gradient for each of `options.by` that the loss depends on; others have none.
 * @throws WildmarkError `unsupported-operator` naming the node without a rule.
 */
export function appendGradients(b: GraphBuilder, options: DifferentiateOptions): Map<string, string> {
  const { trace, loss, by, stopAt = new Set<string>() } = options;
  const path = nodesBetween(b.build().nodes, by, loss, stopAt);
  const arriving = new Map<string, string[]>([[loss, [b.scalar(1)]]]);

  /** Sums what has arrived at a value; complete once all its consumers have been visited. */
  const gradientOf = (value: string): string | undefined => {
    const parts = arriving.get(value);
    if (parts === undefined) return undefined;
    const [first, ...others] = parts;
    if (first === undefined || others.length === 0) return first;
    const sum = b.op("Sum", parts, {}, { name: `d_${value}` });
    arriving.set(value, [sum]);
    return sum;
  };

  for (const node of path.nodes.toReversed()) {
    const outputGradients = node.outputs.map((output) => gradientOf(output));
    if (outputGradients.every((gradient) => gradient === undefined)) continue;
    const operator = operatorName(node);
    if (nonDifferentiable.has(operator)) continue;
    const rule = gradientRules[operator];
    if (rule === undefined) throw missingRule(node, by, path.nodes);
    const gradients = rule(contextFor(node, b, trace, outputGradients, path.active));
    node.inputs.forEach((input, i) => {
      const gradient = gradients[i];
      if (gradient === undefined || !path.active.has(input)) return;
      const parts = arriving.get(input);
      if (parts === undefined) arriving.set(input, [gradient]);
      else parts.push(gradient);
    });
  }

  const result = new Map<string, string>();
  for (const value of by) {
    const gradient = gradientOf(value);
    if (gradient !== undefined) result.set(value, gradient);
  }
  return result;
}

/** "Relu", or "com.microsoft.Gelu" outside the standard domain: the key of a rule. */
export function operatorName(node: Node): string {
  return node.domain === "" || node.domain === "ai.onnx" ? node.opType : `${node.domain}.${node.opType}`;
}

/** The nodes on a way from `sources` to `sink`, in graph order, and the values on those ways. */
function nodesBetween(
  nodes: readonly Node[],
  sources: readonly string[],
  sink: string,
  stopAt: ReadonlySet<string>,
): { readonly nodes: readonly Node[]; readonly active: ReadonlySet<string> } {
  const active = new Set(sources);
  const downstream = nodes.filter((node) => {
    if (!node.inputs.some((input) => active.has(input) && !stopAt.has(input))) return false;
    for (const output of node.outputs) if (output !== "" && !stopAt.has(output)) active.add(output);
    return true;
  });
  const wanted = new Set([sink]);
  const between = downstream
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((output) => wanted.has(output))) return false;
      for (const input of node.inputs) wanted.add(input);
      return true;
    })
    .reverse();
  return { nodes: between, active };
}

function contextFor(
  node: Node,
  b: GraphBuilder,
  trace: Trace,
  outputGradients: readonly (string | undefined)[],
  active: ReadonlySet<string>,
): GradientContext {
  const name = (i: number): string => node.inputs[i] ?? "";
  const input = (i: number): string => {
    if (name(i) === "") throw new WildmarkError("bad-model", `${describeNode(node)} lacks its input ${i}.`);
    return name(i);
  };
  return {
    node,
    b,
    outputGradients,
    get dy() {
      const [gradient] = outputGradients;
      if (gradient === undefined) throw new Error(`${describeNode(node)}: its first output does not reach the loss`);
      return gradient;
    },
    input,
    has: (i) => name(i) !== "",
    needs: (i) => active.has(name(i)),
    dims(value) {
      const traced = trace.get(value);
      if (traced === undefined) throw new Error(`${describeNode(node)}: no trace of "${value}"`);
      return traced.dims;
    },
    constant(i) {
      const constant = trace.get(input(i))?.constant;
      if (constant === undefined) {
        throw new WildmarkError(
          "unsupported-operator",
          `${describeNode(node)} computes its input ${i} ("${name(i)}") from the data; its gradient needs a constant.`,
        );
      }
      return constant;
    },
  };
}

function missingRule(node: Node, by: readonly string[], path: readonly Node[]): WildmarkError {
  const before = new Set(node.inputs);
  for (const other of path.toReversed()) {
    if (other.outputs.some((output) => before.has(output))) for (const input of other.inputs) before.add(input);
  }
  const hanging = by.filter((value) => before.has(value));
  return new WildmarkError(
    "unsupported-operator",
    `No gradient rule for ${describeNode(node)}; ${hanging.length} trainable value(s) lie before it` +
      `${hanging.length > 0 ? ` (${hanging.slice(0, 3).join(", ")}${hanging.length > 3 ? ", …" : ""})` : ""}.`,
    { hint: "Freeze what lies before it: train only the weights that come after this node." },
  );
}
