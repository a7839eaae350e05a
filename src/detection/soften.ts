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
  const { b, valueOf } = soft;
  const isTrue = asleep !== undefined && asleep.data.some((value) => Number(value) > 0);
  const driven = ((): string => {
    const [a = "", c = ""] = entry.inputs;
    const minus = (x: string, y: string): string => b.op("Sub", [valueOf(x), valueOf(y)]);
    if (isOperator(entry, "Greater", "GreaterOrEqual")) return isTrue ? minus(c, a) : minus(a, c);
    if (isOperator(entry, "Less", "LessOrEqual")) return isTrue ? minus(a, c) : minus(c, a);
    if (isOperator(entry, "Equal")) return b.op("Neg", [b.op("Abs", [minus(a, c)])]);
    if (isOperator(entry, "Relu", "Clip", "Sigmoid", "HardSigmoid", "Floor", "Cast", "Sign") && image.has(a)) {
      return valueOf(a);
    }
    soft.append(entry);
    return valueOf(entry.outputs[0] ?? "");
  })();
  const all = { keepdims: 0 };
  const drive = b.op("Add", [b.op("ReduceMean", [driven], all), b.op("ReduceMax", [driven], all)]);
  b.output(drive, "float32", []);
  const [input] = graph.inputs;
  if (input === undefined) throw new Error("no input");
  return { graph: canonicalGraph(b.build()), input: { ...input, type: "float32" }, drive };
}

interface SoftGraph {
  readonly b: GraphBuilder;
  /** The soft value that stands for one of the graph. */
  valueOf(name: string): string;
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
  const valueOf = (name: string): string => {
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
    if (image.has(name) || tensor === undefined || tensor.type === "float32") return valueOf(name);
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
      b.append({ ...node, inputs: node.inputs.map(numbers ? floatOf : valueOf) });
      for (const name of node.outputs) names.set(name, name);
    } else names.set(output, soft);
  };
  for (const node of before(flow, entry)) append(node);
  return { b, valueOf, append };
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

/** What stands for a node that is flat or steps; undefined for one that may stay. */
function softNode(b: GraphBuilder, node: Node, valueOf: (name: string) => string): string | undefined {
  const [first = "", second = "", third = ""] = node.inputs;
  const [x, y, z] = [() => valueOf(first), () => valueOf(second), () => valueOf(third)];
  const times = (value: string, factor: number): string => b.op("Mul", [value, b.scalar(factor)]);
  const above = (p: string, q: string): string => b.op("Sigmoid", [times(b.op("Sub", [p, q]), STEEP)]);
  if (node.domain !== "") return undefined;
  switch (node.opType) {
    case "Greater":
    case "GreaterOrEqual":
      return above(x(), y());
    case "Less":
    case "LessOrEqual":
      return above(y(), x());
    case "Equal": {
      const apart = b.op("Sub", [x(), y()]);
      return b.op("Exp", [times(b.op("Mul", [apart, apart]), -STEEP)]);
    }
    case "And":
      return b.op("Mul", [x(), y()]);
    case "Or":
      return b.op("Max", [x(), y()]);
    case "Not":
      return b.op("Sub", [b.scalar(1), x()]);
    case "Xor":
      return b.op("Abs", [b.op("Sub", [x(), y()])]);
    case "Where":
      return b.op("Add", [b.op("Mul", [x(), y()]), b.op("Mul", [b.op("Sub", [b.scalar(1), x()]), z()])]);
    case "Cast":
    case "Floor":
    case "Ceil":
    case "Round":
      return x();
    case "Sign":
      return b.op("Tanh", [times(x(), STEEP)]);
    case "Relu":
      return b.op("LeakyRelu", [x()], { alpha: float(LEAN) });
    case "Clip":
    case "Sigmoid":
    case "HardSigmoid":
    case "Tanh":
    case "Erf": {
      b.append({ ...node, inputs: node.inputs.map(valueOf) });
      const [output = ""] = node.outputs;
      return b.op("Add", [output, times(x(), LEAN / STEEP)]);
    }
    default:
      return undefined;
  }
}
