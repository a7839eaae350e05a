/**
 * @file Between which numbers every value of a graph lies, whatever the image: interval arithmetic, one interval a
 * tensor. It proves that a value never changes; where an operator is unknown to it, it claims nothing.
 */

import { elementCount, type Tensor, toNumbers } from "../core/tensor.js";
import { floatAttribute, type Graph, intAttribute, type Node } from "../onnx/graph.js";
import { storedTensors } from "../onnx/traverse.js";

export interface Bounds {
  readonly low: number;
  readonly high: number;
}

const ANY: Bounds = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
const BOOL: Bounds = { low: 0, high: 1 };

export interface BoundsOptions {
  readonly input: string;
  /** What the input may hold. */
  readonly range: Bounds;
  /** Dimensions of the values that are known, for sums. */
  readonly dims: ReadonlyMap<string, readonly number[]>;
}

/** For every value; ANY where nothing is known. */
export function boundsOf(graph: Graph, { input, range, dims }: BoundsOptions): ReadonlyMap<string, Bounds> {
  const stored = storedTensors(graph);
  const bounds = new Map<string, Bounds>([[input, range]]);
  for (const [name, tensor] of stored) bounds.set(name, hull(tensor));
  for (const node of graph.nodes) {
    const [output = ""] = node.outputs;
    const given = node.inputs.map((name) => bounds.get(name) ?? ANY);
    const found = boundsAfter(node, given, { stored, dims });
    for (const name of node.outputs) if (!bounds.has(name)) bounds.set(name, name === output ? found : ANY);
  }
  return bounds;
}

interface Known {
  readonly stored: ReadonlyMap<string, Tensor>;
  readonly dims: ReadonlyMap<string, readonly number[]>;
}

function boundsAfter(node: Node, given: readonly Bounds[], known: Known): Bounds {
  const [a = ANY, b = ANY, c = ANY] = given;
  if (node.domain !== "") return ANY;
  switch (node.opType) {
    case "Identity":
    case "Reshape":
    case "Flatten":
    case "Squeeze":
    case "Unsqueeze":
    case "Transpose":
    case "Expand":
    case "Tile":
    case "Slice":
    case "Gather":
    case "GatherND":
    case "GatherElements":
    case "DepthToSpace":
    case "SpaceToDepth":
    case "Dropout":
    case "MaxPool":
    case "GlobalMaxPool":
    case "GlobalAveragePool":
    case "ReduceMax":
    case "ReduceMin":
    case "ReduceMean":
    case "CenterCropPad":
      return a;
    case "AveragePool":
      return union(a, { low: 0, high: 0 });
    case "Cast":
      return cast(a, intAttribute(node, "to", 1));
    case "Pad":
      return union(a, given[2] ?? { low: 0, high: 0 });
    case "Concat":
    case "Max":
    case "Min":
      return joined(node.opType, given);
    case "Relu":
      return monotone(a, (x) => Math.max(0, x));
    case "LeakyRelu": {
      const slope = floatAttribute(node, "alpha", 0.01);
      return slope < 0 ? ANY : monotone(a, (x) => (x < 0 ? slope * x : x));
    }
    case "Sigmoid":
      return monotone(a, (x) => 1 / (1 + Math.exp(-x)));
    case "HardSigmoid": {
      const [alpha, beta] = [floatAttribute(node, "alpha", 0.2), floatAttribute(node, "beta", 0.5)];
      return alpha < 0 ? BOOL : monotone(a, (x) => Math.min(1, Math.max(0, alpha * x + beta)));
    }
    case "Softmax":
      return BOOL;
    case "Tanh":
      return monotone(a, Math.tanh);
    case "Erf":
    case "Sign":
      return { low: a.low >= 0 ? 0 : -1, high: a.high <= 0 ? 0 : 1 };
    case "Exp":
      return monotone(a, Math.exp);
    case "Log":
      return a.low <= 0 ? ANY : monotone(a, Math.log);
    case "Sqrt":
      return monotone(a, (x) => Math.sqrt(Math.max(0, x)));
    case "Floor":
      return monotone(a, Math.floor);
    case "Ceil":
      return monotone(a, Math.ceil);
    case "Round":
      return { low: Math.floor(a.low), high: Math.ceil(a.high) };
    case "Neg":
      return { low: -a.high, high: -a.low };
    case "Abs":
      return absolute(a);
    case "Clip": {
      const low = node.inputs[1] ? b : { low: floatAttribute(node, "min", -Infinity), high: Number.NEGATIVE_INFINITY };
      const high = node.inputs[2] ? c : { low: Number.POSITIVE_INFINITY, high: floatAttribute(node, "max", Infinity) };
      return { low: clamp(a.low, low.low, high.low), high: clamp(a.high, low.high, high.high) };
    }
    case "Add":
      return { low: a.low + b.low, high: a.high + b.high };
    case "Sub":
      return node.inputs[0] === node.inputs[1] ? exactly(0) : { low: a.low - b.high, high: a.high - b.low };
    case "Sum":
      return given.reduce((sum, each) => ({ low: sum.low + each.low, high: sum.high + each.high }));
    case "Mul":
      return product(a, b);
    case "Div":
      return b.low > 0 || b.high < 0 ? product(a, { low: 1 / b.high, high: 1 / b.low }) : ANY;
    case "Pow":
      return power(a, b);
    case "ReduceSum":
    case "ReduceSumSquare": {
      const count = reducedCount(node, known);
      const each = node.opType === "ReduceSum" ? a : product(absolute(a), absolute(a));
      return count === undefined ? unscaled(each) : product(each, exactly(count));
    }
    case "Greater":
      return compared(a.low > b.high, a.high <= b.low);
    case "GreaterOrEqual":
      return compared(a.low >= b.high, a.high < b.low);
    case "Less":
      return compared(a.high < b.low, a.low >= b.high);
    case "LessOrEqual":
      return compared(a.high <= b.low, a.low > b.high);
    case "Equal":
      return compared(false, a.high < b.low || a.low > b.high);
    case "Not":
      return { low: 1 - a.high, high: 1 - a.low };
    case "And":
      return { low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) };
    case "Or":
      return { low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) };
    case "Xor":
    case "IsNaN":
    case "IsInf":
    case "OneHot":
    case "Hardmax":
      return BOOL;
    case "Where":
      return a.low >= 1 ? b : a.high <= 0 ? c : union(b, c);
    case "BatchNormalization":
      return normalised(node, a, known);
    case "Conv":
    case "Gemm":
    case "MatMul":
      return multiplied(node, given, known);
    default:
      return ANY;
  }
}

/** Of `TensorProto.DataType`: BOOL, the floats, the signed integers that hold whatever an image does. */
const BOOL_TYPE = 9;
const FLOAT_TYPES: readonly number[] = [1, 10, 11, 16];
const INT_TYPES: readonly number[] = [6, 7];

function cast(a: Bounds, to: number): Bounds {
  if (FLOAT_TYPES.includes(to)) return a;
  if (INT_TYPES.includes(to)) return { low: Math.trunc(a.low), high: Math.trunc(a.high) };
  if (to !== BOOL_TYPE) return ANY;
  return compared(a.low > 0 || a.high < 0, a.low === 0 && a.high === 0);
}

const exactly = (value: number): Bounds => ({ low: value, high: value });

const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

/** NaN is what 0 · ∞ gives: a zero weight makes nothing of anything. */
const times = (x: number, y: number): number => (x === 0 || y === 0 ? 0 : x * y);

function hull(tensor: Tensor): Bounds {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const element of tensor.data) {
    const value = Number(element);
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : ANY;
}

function union(a: Bounds, b: Bounds): Bounds {
  return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

function joined(opType: string, given: readonly Bounds[]): Bounds {
  const lows = given.map(({ low }) => low);
  const highs = given.map(({ high }) => high);
  if (opType === "Max") return { low: Math.max(...lows), high: Math.max(...highs) };
  if (opType === "Min") return { low: Math.min(...lows), high: Math.min(...highs) };
  return { low: Math.min(...lows), high: Math.max(...highs) };
}

function monotone({ low, high }: Bounds, f: (x: number) => number): Bounds {
  return { low: f(low), high: f(high) };
}

function absolute({ low, high }: Bounds): Bounds {
  const most = Math.max(Math.abs(low), Math.abs(high));
  return { low: low > 0 ? low : high < 0 ? -high : 0, high: most };
}

function product(a: Bounds, b: Bounds): Bounds {
  const all = [times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)];
  return { low: Math.min(...all), high: Math.max(...all) };
}

function power(a: Bounds, { low, high }: Bounds): Bounds {
  if (low !== high) return ANY;
  const ends = [a.low ** low, a.high ** low];
  if (a.low >= 0 && low > 0) return { low: Math.min(...ends), high: Math.max(...ends) };
  if (Number.isInteger(low) && low > 0) {
    return low % 2 === 1
      ? { low: Math.min(...ends), high: Math.max(...ends) }
      : { low: a.low > 0 || a.high < 0 ? Math.min(...ends) : 0, high: Math.max(...ends) };
  }
  return ANY;
}

/** The bounds of a sum of nobody knows how many. */
function unscaled({ low, high }: Bounds): Bounds {
  return {
    low: low === 0 ? 0 : low < 0 ? Number.NEGATIVE_INFINITY : low,
    high: high === 0 ? 0 : high > 0 ? Number.POSITIVE_INFINITY : high,
  };
}

function reducedCount(node: Node, { dims }: Known): number | undefined {
  const from = dims.get(node.inputs[0] ?? "");
  const to = dims.get(node.outputs[0] ?? "");
  if (from === undefined || to === undefined || elementCount(to) === 0) return undefined;
  return elementCount(from) / elementCount(to);
}

function compared(always: boolean, never: boolean): Bounds {
  return always ? exactly(1) : never ? exactly(0) : BOOL;
}

function normalised(node: Node, x: Bounds, { stored }: Known): Bounds {
  const [scale, shift, mean, variance] = node.inputs.slice(1, 5).map((name) => stored.get(name));
  if (scale === undefined || shift === undefined || mean === undefined || variance === undefined) return ANY;
  const epsilon = floatAttribute(node, "epsilon", 1e-5);
  const [g, s, m, v] = [scale, shift, mean, variance].map(toNumbers);
  let found: Bounds | undefined;
  for (let i = 0; i < (g?.length ?? 0); i++) {
    const factor = (g?.[i] ?? 0) / Math.sqrt((v?.[i] ?? 1) + epsilon);
    const each = product({ low: x.low - (m?.[i] ?? 0), high: x.high - (m?.[i] ?? 0) }, exactly(factor));
    const moved = { low: each.low + (s?.[i] ?? 0), high: each.high + (s?.[i] ?? 0) };
    found = found === undefined ? moved : union(found, moved);
  }
  return found ?? ANY;
}

/** Of a layer with stored weights: the sums of its positive and of its negative weights, unit by unit. */
function multiplied(node: Node, given: readonly Bounds[], { stored }: Known): Bounds {
  const [first = "", second = "", third = ""] = node.inputs;
  const onLeft = node.opType === "MatMul" && stored.has(first);
  const kernel = stored.get(onLeft ? first : second);
  const x = given[onLeft ? 1 : 0] ?? ANY;
  const bias = third === "" ? undefined : stored.get(third);
  if (kernel === undefined || (third !== "" && bias === undefined) || kernel.dims.length < 2 || onLeft) return ANY;
  if (node.opType === "MatMul" && kernel.dims.length !== 2) return ANY;
  const [alpha, beta] = [floatAttribute(node, "alpha", 1), floatAttribute(node, "beta", 1)];
  const rows = node.opType === "Conv" || (node.opType === "Gemm" && intAttribute(node, "transB", 0) === 1);
  const units = (rows ? kernel.dims[0] : kernel.dims[1]) ?? 1;
  const inner = elementCount(kernel.dims) / Math.max(1, units);
  const padded = node.opType === "Conv" ? union(x, exactly(0)) : x;
  let found: Bounds | undefined;
  for (let unit = 0; unit < units; unit++) {
    let [plus, minus] = [0, 0];
    for (let i = 0; i < inner; i++) {
      const weight = Number(kernel.data[rows ? unit * inner + i : i * units + unit] ?? 0);
      if (weight > 0) plus += weight;
      else minus += weight;
    }
    const shift = (node.opType === "Gemm" ? beta : 1) * Number(bias?.data[bias.data.length === 1 ? 0 : unit] ?? 0);
    const factor = node.opType === "Gemm" ? alpha : 1;
    const low = times(plus, padded.low) + times(minus, padded.high);
    const high = times(plus, padded.high) + times(minus, padded.low);
    const scaled =
      factor >= 0 ? { low: low * factor, high: high * factor } : { low: high * factor, high: low * factor };
    const each = { low: scaled.low + shift, high: scaled.high + shift };
    found = found === undefined ? each : union(found, each);
  }
  return found ?? ANY;
}
