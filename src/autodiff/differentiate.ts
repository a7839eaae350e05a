/**
 * @file Reverse-mode differentiation of an ONNX graph into an ONNX graph.
 *
 * Walks the nodes between the wanted values and the loss backwards, asks each operator's rule for the gradients of its
 * inputs, and adds up what arrives at a value by several ways. Nothing is executed and no shape is inferred here.
 */

import { WildmarkError } from "../core/errors.js";
import { type ElementType, elementCount, float32, type Tensor } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import { describeNode, type Node } from "../onnx/graph.js";
import type { GradientContext, GradientRules } from "./rule.js";
import { gradientRules, nonDifferentiable } from "./rules/index.js";
import type { Trace, TracedValue } from "./trace.js";

export interface DifferentiateOptions {
  /** The values of the graph, as traced with the shapes the derived graph will run with. */
  readonly trace: Trace;
  /** Name of the scalar to differentiate. */
  readonly loss: string;
  /** Names of the values to differentiate it by. */
  readonly by: readonly string[];
  /**
   * Values that count as constants wherever they are used (stop-gradient): no gradient flows to them or through them.
   */
  readonly stopAt?: ReadonlySet<string>;
  /** Rules by operator; default: all that Wildmark has. */
  readonly rules?: GradientRules;
}

/**
 * Appends to `b`, which already holds the forward graph, the nodes that compute d loss / d value.
 *
 * @returns the name of the gradient for each of `options.by` that the loss depends on; others have none. Each gradient
 * has the dimensions of its value. Two values may share one gradient, and a gradient may be a constant.
 * @throws WildmarkError `unsupported-operator` naming the node without a rule.
 */
export function appendGradients(b: GraphBuilder, options: DifferentiateOptions): Map<string, string> {
  const { trace, loss, by, stopAt = new Set<string>(), rules = gradientRules } = options;
  const path = pathBetween(b.build().nodes, by, loss, stopAt, trace);
  const arriving = new Map([[loss, [one(b, trace, loss)]]]);

  /** Sums what has arrived at a value; complete once all its consumers have been visited. */
  const gradientOf = (value: string): string | undefined => {
    const [first, ...others] = arriving.get(value) ?? [];
    if (first === undefined) return undefined;
    // A chain of Add, not one Sum: as quick on the CPU, and every device has Add.
    const total = others.reduce((sum, part) => b.op("Add", [sum, part], {}, { name: `d_${value}` }), first);
    arriving.set(value, [total]);
    return total;
  };

  for (const node of path.nodes.toReversed()) {
    const outputGradients = node.outputs.map((output) => gradientOf(output));
    if (outputGradients.every((gradient) => gradient === undefined)) continue;
    const rule = rules[operatorName(node)];
    if (rule === undefined) throw missingRule(node, by, path.nodes, rules);
    const gradients = rule(contextFor(node, b, trace, outputGradients, path));
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
    const gradient = path.active.has(value) ? gradientOf(value) : undefined;
    if (gradient !== undefined) result.set(value, gradient);
  }
  return result;
}

/** "Relu", or "com.microsoft.Gelu" outside the standard domain: the key of a rule. */
export function operatorName(node: Node): string {
  return node.domain === "" || node.domain === "ai.onnx" ? node.opType : `${node.domain}.${node.opType}`;
}

/** d loss / d loss. */
function one(b: GraphBuilder, trace: Trace, loss: string): string {
  const traced = trace.get(loss);
  if (traced === undefined) throw new Error(`no trace of the loss "${loss}"`);
  const { type, dims } = traced;
  if (type !== "float32" || elementCount(dims) !== 1) {
    throw new Error(`the loss "${loss}" is ${type} [${dims}]; only one float32 number can be differentiated`);
  }
  return dims.length === 0 ? b.scalar(1) : b.initializer("one", float32(dims, [1]));
}

interface Path {
  /** The nodes on a way from the wanted values to the loss, in graph order. */
  readonly nodes: readonly Node[];
  /** The wanted values and what depends on them differentiably: gradients are asked for these only. */
  readonly active: ReadonlySet<string>;
  /** Everything that changes when the wanted values do; a trace's "constant" among these is none. */
  readonly moving: ReadonlySet<string>;
}

function pathBetween(
  nodes: readonly Node[],
  sources: readonly string[],
  sink: string,
  stopAt: ReadonlySet<string>,
  trace: Trace,
): Path {
  const active = new Set(sources.filter((source) => !stopAt.has(source)));
  const carriesGradient = (value: string): boolean =>
    value !== "" && !stopAt.has(value) && isFloat(trace.get(value)?.type);
  const downstream = nodes.filter((node) => {
    if (nonDifferentiable.has(operatorName(node)) || !node.inputs.some((input) => active.has(input))) return false;
    const outputs = node.outputs.filter(carriesGradient);
    for (const output of outputs) active.add(output);
    return outputs.length > 0;
  });
  const wanted = new Set([sink]);
  const between = downstream
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((output) => wanted.has(output))) return false;
      for (const input of node.inputs) if (active.has(input)) wanted.add(input);
      return true;
    })
    .toReversed();
  return { nodes: between, active, moving: dependentOn(sources, nodes) };
}

/** `sources` and all that is computed from their elements, differentiably or not. */
function dependentOn(sources: readonly string[], nodes: readonly Node[]): ReadonlySet<string> {
  const moving = new Set(sources);
  for (const node of nodes) {
    const operator = operatorName(node);
    if (operator === "Shape" || operator === "Size" || !node.inputs.some((input) => moving.has(input))) continue;
    for (const output of node.outputs) if (output !== "") moving.add(output);
  }
  return moving;
}

/** Integers and booleans (shapes, indices, masks) carry no gradient. */
function isFloat(type: ElementType | undefined): boolean {
  return type === undefined || type.startsWith("float") || type === "bfloat16";
}

function contextFor(
  node: Node,
  b: GraphBuilder,
  trace: Trace,
  outputGradients: readonly (string | undefined)[],
  path: Path,
): GradientContext {
  const name = (i: number): string => node.inputs[i] ?? "";
  const input = (i: number): string => {
    if (name(i) === "") throw new WildmarkError("bad-model", `${describeNode(node)} lacks its input ${i}.`);
    return name(i);
  };
  const traced = (value: string): TracedValue => {
    const found = trace.get(value);
    if (found === undefined) throw new Error(`${describeNode(node)}: no trace of "${value}"`);
    return found;
  };
  const fixed = (i: number): Tensor | undefined =>
    path.moving.has(name(i)) ? undefined : trace.get(name(i))?.constant;
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
    needs: (i) => path.active.has(name(i)),
    dims: (value) => traced(value).dims,
    type: (value) => traced(value).type,
    fixed,
    constant(i) {
      input(i);
      const constant = fixed(i);
      if (constant === undefined) {
        throw new WildmarkError(
          "unsupported-operator",
          `${describeNode(node)} computes its input ${i} ("${name(i)}") from the data or the weights; its ` +
            `gradient needs a constant.`,
        );
      }
      return constant;
    },
  };
}

function missingRule(node: Node, by: readonly string[], path: readonly Node[], rules: GradientRules): WildmarkError {
  const hanging = hangingOn(node, by, path);
  const named = `${hanging.slice(0, 3).join(", ")}${hanging.length > 3 ? ", …" : ""}`;
  const start = path.find((candidate) => trainsFrom(candidate, by, path, rules));
  const name = start === undefined ? undefined : start.name || start.outputs.find((output) => output !== "");
  return new WildmarkError(
    "unsupported-operator",
    `No gradient rule for ${describeNode(node)}; ${hanging.length} trainable value(s) lie before it` +
      `${hanging.length > 0 ? ` (${named})` : ""} and would get no gradient.`,
    {
      hint:
        name === undefined
          ? "Train another model: all trainable weights lie before this node."
          : `Freeze what lies before it: --train-from ${/^[\w./:-]+$/.test(name) ? name : JSON.stringify(name)}`,
    },
  );
}

/** Those of `by` that `node` is computed from. */
function hangingOn(node: Node, by: readonly string[], path: readonly Node[]): readonly string[] {
  const before = new Set(node.inputs);
  for (const other of path.toReversed()) {
    if (other.outputs.some((output) => before.has(output))) for (const input of other.inputs) before.add(input);
  }
  return by.filter((value) => before.has(value));
}

/**
 * Whether freezing all that `start` is computed from leaves something to train, and no node without a rule after it.
 */
function trainsFrom(start: Node, by: readonly string[], path: readonly Node[], rules: GradientRules): boolean {
  const made = new Set(path.flatMap((node) => node.outputs));
  const data = { ...start, inputs: start.inputs.filter((input) => made.has(input)) };
  const frozen = new Set(hangingOn(data, by, path));
  const moving = new Set(by.filter((value) => !frozen.has(value)));
  if (moving.size === 0) return false;
  return path.every((node) => {
    if (!node.inputs.some((input) => moving.has(input))) return true;
    for (const output of node.outputs) moving.add(output);
    return rules[operatorName(node)] !== undefined;
  });
}
