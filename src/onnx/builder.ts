/**
 * @file Builds ONNX graphs in code, one operator call at a time.
 *
 * `builder.op("Add", [a, b])` appends a node and returns the name of its output, so that formulas read as expressions.
 * Names are made unique; equal scalar constants are shared. Nodes come out in the order of the calls, which is a
 * topological order by construction.
 */

import { type ElementType, float32, int64, type Tensor } from "../core/tensor.js";
import type { Attribute, Dim, Graph, Node, ValueInfo } from "./graph.js";

/** Shorthand: a number is an int attribute, an array of numbers is ints; floats are marked by `float()`. */
export type AttributeShorthand = number | string | readonly number[] | Attribute;

/** Marks a float attribute: `{ alpha: float(0.01) }`. */
export function float(value: number): Attribute {
  return { kind: "float", value };
}

export interface OpOptions {
  readonly domain?: string;
  /** Base of the output's name, made unique; default: the operator's name. */
  readonly name?: string;
}

export interface GraphBuilder {
  /** Declares an input that the caller feeds; the name must be free. */
  input(name: string, type: ElementType, dims: readonly Dim[]): string;
  /** Adds a tensor as an initialiser under a unique name based on `name`. */
  initializer(name: string, tensor: Tensor): string;
  /** A float32 scalar, shared between equal calls. */
  scalar(value: number): string;
  /** An int64 vector, shared between equal calls: axes, shapes, pads. */
  ints(values: readonly number[]): string;
  /** Appends a node with one output and returns the output's name. */
  op(opType: string, inputs: readonly string[], attributes?: Attributes, options?: OpOptions): string;
  /** Appends a node with `count` outputs and returns their names. */
  ops(opType: string, inputs: readonly string[], count: number, attributes?: Attributes, options?: OpOptions): string[];
  /** Appends an existing node as it is, without its name if that is taken; its output names must be free. */
  append(node: Node): void;
  /** Declares `name` an output of the graph, under its own name. */
  output(name: string, type?: ElementType, dims?: readonly Dim[]): void;
  /** A free name based on `base`. */
  unique(base: string): string;
  build(): Graph;
}

type Attributes = Readonly<Record<string, AttributeShorthand>>;

/**
 * Starts a graph; `from` continues an existing one (its inputs, nodes and initialisers are taken over, its outputs only
 * when `keepOutputs`).
 */
export function graphBuilder(
  name: string,
  options: { readonly opset?: number; readonly from?: Graph; readonly keepOutputs?: boolean } = {},
): GraphBuilder {
  const { from } = options;
  const inputs: ValueInfo[] = [...(from?.inputs ?? [])];
  const outputs: ValueInfo[] = options.keepOutputs ? [...(from?.outputs ?? [])] : [];
  const nodes: Node[] = [...(from?.nodes ?? [])];
  const initializers = new Map(from?.initializers);
  const opsets = new Map(from?.opsets ?? [["", options.opset ?? DEFAULT_OPSET]]);
  const taken = new Set<string>([
    ...inputs.map((value) => value.name),
    ...initializers.keys(),
    ...nodes.flatMap((node) => node.outputs),
  ]);
  // A node may be called like a value that another node makes: nodes and values are named apart in ONNX. But ONNX
  // Runtime refuses two nodes of one name, so a new node is called neither like a value nor like a node.
  const nodeNames = new Set(nodes.map((node) => node.name));
  const shared = new Map<string, string>();
  const counters = new Map<string, number>();

  const unique = (base: string): string => {
    let candidate = base;
    let count = counters.get(base) ?? 0;
    while (taken.has(candidate) || nodeNames.has(candidate)) candidate = `${base}_${++count}`;
    counters.set(base, count);
    taken.add(candidate);
    return candidate;
  };
  const initializer = (base: string, tensor: Tensor): string => {
    const chosen = unique(base);
    initializers.set(chosen, tensor);
    return chosen;
  };
  const share = (key: string, make: () => string): string => {
    const existing = shared.get(key) ?? make();
    shared.set(key, existing);
    return existing;
  };
  const ops: GraphBuilder["ops"] = (opType, nodeInputs, count, attributes = {}, { domain = "", name: base } = {}) => {
    if (domain !== "" && !opsets.has(domain)) opsets.set(domain, 1);
    const names = Array.from({ length: count }, () => unique(base ?? opType));
    nodeNames.add(names[0] ?? opType);
    nodes.push({
      name: names[0] ?? opType,
      opType,
      domain,
      inputs: nodeInputs,
      outputs: names,
      attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, toAttribute(value)])),
    });
    return names;
  };

  return {
    input(inputName, type, dims) {
      if (taken.has(inputName)) throw new Error(`graph builder: the name "${inputName}" is taken`);
      taken.add(inputName);
      inputs.push({ name: inputName, type, dims });
      return inputName;
    },
    initializer,
    scalar: (value) =>
      share(`scalar ${Object.is(value, -0) ? "-0" : value}`, () => initializer("scalar", float32([], [value]))),
    ints: (values) => share(`ints ${values.join()}`, () => initializer("ints", int64([values.length], values))),
    op: (opType, nodeInputs, attributes, opOptions) => ops(opType, nodeInputs, 1, attributes, opOptions)[0] as string,
    ops,
    append(node) {
      for (const output of node.outputs) {
        if (output === "") continue;
        if (taken.has(output)) throw new Error(`graph builder: the name "${output}" is taken`);
        taken.add(output);
      }
      if (node.domain !== "" && !opsets.has(node.domain)) opsets.set(node.domain, 1);
      nodes.push(nodeNames.has(node.name) ? { ...node, name: "" } : node);
      nodeNames.add(node.name);
    },
    output(outputName, type = "float32", dims) {
      outputs.push({ name: outputName, type, dims });
    },
    unique,
    build: () => ({ name, inputs, outputs, nodes, initializers, opsets }),
  };
}

/** The operator set that built graphs and derived training graphs are written in. */
export const DEFAULT_OPSET = 21;

function toAttribute(value: AttributeShorthand): Attribute {
  if (typeof value === "number") return { kind: "int", value };
  if (typeof value === "string") return { kind: "string", value };
  if (isNumbers(value)) return { kind: "ints", value };
  return value;
}

function isNumbers(value: Attribute | readonly number[]): value is readonly number[] {
  return Array.isArray(value);
}
