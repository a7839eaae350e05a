/**
 * @file The part of a graph that decides whether a gate opens, made soft, so that a gradient leads there: comparisons
 * become sigmoids, a ReLU leaks, a step is a ramp. It is no longer the model; what it finds is tried on the model.
 */

import { float32, type Tensor, toNumbers } from "../core/tensor.js";
import { float, type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { canonicalGraph } from "../onnx/canonical.js";
import type { Graph, Node, ValueInfo } from "../onnx/graph.js";
import { isOperator, storedTensors } from "../onnx/traverse.js";
import type { Flow } from "./flow.js";

/** How steep a comparison of pixels is. */
const STEEP = 10;

/** How much flat parts of a function lean. */
const LEAN = 0.1;

export interface Soft {
  readonly graph: Graph;
  readonly input: ValueInfo;
  /** A float32 scalar: the more of it, the nearer the gate is to opening. */
  readonly drive: string;
}

/**
 * @param entry where a region begins.
 * @param asleep what it made of the images that it slept through.
 * @throws WildmarkError `bad-model` for a graph that has no canonical form.
 */
export function softened(flow: Flow, entry: Node, asleep: Tensor | undefined): Soft {
  const { graph, image } = flow;
  const soft = softGraph(flow, entry);
  const { b, softOf } = soft;
  const isTrue = asleep?.data.some((value) => Number(value) > 0) === true;
  const { op } = softOps(b);
  const driven = ((): string => {
    const [a = "", c = ""] = entry.inputs;
    const minus = (x: string, y: string): string => op("Sub", [softOf(x), softOf(y)]);
    if (isOperator(entry, "Greater", "GreaterOrEqual")) return isTrue ? minus(c, a) : minus(a, c);
    if (isOperator(entry, "Less", "LessOrEqual")) return isTrue ? minus(a, c) : minus(c, a);
    if (isOperator(entry, "Equal")) return op("Neg", [op("Abs", [minus(a, c)])]);
    if (isOperator(entry, "Relu", "Clip", "Sigmoid", "HardSigmoid", "Floor", "Cast", "Sign") && image.has(a)) {
      return softOf(a);
    }
    soft.append(entry);
    return softOf(entry.outputs[0] ?? "");
  })();
  const all = { keepdims: 0 };
  const drive = op("Add", [op("ReduceMean", [driven], all), op("ReduceMax", [driven], all)]);
  b.output(drive, "float32", []);
  const [input] = graph.inputs;
  if (input === undefined) throw new Error("no input");
  return { graph: canonicalGraph(b.build()), input: { ...input, type: "float32" }, drive };
}

interface SoftGraph {
  readonly b: GraphBuilder;
  /** The soft value that stands for one of the graph. */
  softOf(name: string): string;
  append(node: Node): void;
}

function softGraph(flow: Flow, entry: Node): SoftGraph {
  const { graph, image, input } = flow;
  const [declared] = graph.inputs;
  const b = graphBuilder("soft", {
    from: { ...graph, nodes: [], inputs: [], outputs: [], initializers: new Map() },
  });
  b.input(input, "float32", declared?.dims ?? []);
  const stored = storedTensors(graph);
  const names = new Map([[input, input]]);
  const softOf = (name: string): string => {
    if (name === "") return "";
    const known = names.get(name);
    if (known !== undefined) return known;
    const tensor = stored.get(name);
    const made = tensor === undefined ? name : b.initializer(name, tensor);
    names.set(name, made);
    return made;
  };
  /** Of whole numbers too: in what is soft everything is a float. */
  const floatOf = (name: string): string => {
    const tensor = stored.get(name);
    if (image.has(name) || tensor === undefined || tensor.type === "float32") return softOf(name);
    const key = `${name} as floats`;
    const known = names.get(key) ?? b.initializer(key, float32(tensor.dims, toNumbers(tensor)));
    names.set(key, known);
    return known;
  };
  const append = (node: Node): void => {
    const [output = ""] = node.outputs;
    const soft = image.has(output) ? softNode(b, node, floatOf) : undefined;
    if (soft === undefined) {
      const numbers = isOperator(node, "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum") && image.has(output);
      b.append({ ...node, inputs: node.inputs.map(numbers ? floatOf : softOf) });
      for (const name of node.outputs) names.set(name, name);
    } else names.set(output, soft);
  };
  for (const node of before(flow, entry)) append(node);
  return { b, softOf, append };
}

/** Nodes that the inputs of `entry` are computed by. */
function before({ graph }: Flow, entry: Node): readonly Node[] {
  const wanted = new Set(entry.inputs);
  return graph.nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((name) => wanted.has(name))) return false;
      for (const name of node.inputs) wanted.add(name);
      return true;
    })
    .toReversed();
}

interface SoftOps {
  readonly op: (opType: string, inputs: readonly string[], attributes?: Parameters<GraphBuilder["op"]>[2]) => string;
  readonly number: (value: number) => string;
}

/** Of names that no node of the model has. */
function softOps(b: GraphBuilder): SoftOps {
  return {
    op: (opType, inputs, attributes = {}) => b.op(opType, inputs, attributes, { name: "wildmark/soft" }),
    number: (value) => b.initializer("wildmark/number", float32([], [value])),
  };
}

/** What stands for a node that is flat or steps; undefined for one that may stay. */
function softNode(b: GraphBuilder, node: Node, softOf: (name: string) => string): string | undefined {
  const [first = "", second = "", third = ""] = node.inputs;
  const { op, number } = softOps(b);
  const [x, y, z] = [() => softOf(first), () => softOf(second), () => softOf(third)];
  const times = (value: string, factor: number): string => op("Mul", [value, number(factor)]);
  const above = (p: string, q: string): string => op("Sigmoid", [times(op("Sub", [p, q]), STEEP)]);
  if (node.domain !== "") return undefined;
  switch (node.opType) {
    case "Greater":
    case "GreaterOrEqual":
      return above(x(), y());
    case "Less":
    case "LessOrEqual":
      return above(y(), x());
    case "Equal": {
      const apart = op("Sub", [x(), y()]);
      return op("Exp", [times(op("Mul", [apart, apart]), -STEEP)]);
    }
    case "And":
      return op("Mul", [x(), y()]);
    case "Or":
      return op("Max", [x(), y()]);
    case "Not":
      return op("Sub", [number(1), x()]);
    case "Xor":
      return op("Abs", [op("Sub", [x(), y()])]);
    case "Where":
      return op("Add", [op("Mul", [x(), y()]), op("Mul", [op("Sub", [number(1), x()]), z()])]);
    case "Cast":
    case "Floor":
    case "Ceil":
    case "Round":
      return x();
    case "Sign":
      return op("Tanh", [times(x(), STEEP)]);
    case "Relu":
      return op("LeakyRelu", [x()], { alpha: float(LEAN) });
    case "Clip":
    case "Sigmoid":
    case "HardSigmoid":
    case "Tanh":
    case "Erf": {
      b.append({ ...node, inputs: node.inputs.map(softOf) });
      const [output = ""] = node.outputs;
      return op("Add", [output, times(x(), LEAN / STEEP)]);
    }
    default:
      return undefined;
  }
}
