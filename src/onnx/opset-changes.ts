/**
 * @file What changed in the meaning or form of standard operators between opset 7 and 21, and how an old node is
 * written today. Changes that only admitted more element types are left out.
 *
 * From the operator changelog, github.com/onnx/onnx/blob/main/docs/Changelog.md.
 */

import { WildmarkError } from "../core/errors.js";
import { float32, int64, type Tensor } from "../core/tensor.js";
import {
  type Attribute,
  describeNode,
  floatAttribute,
  intAttribute,
  intsAttribute,
  type Node,
  stringAttribute,
} from "./graph.js";

export interface ChangeContext {
  /** The opset of the graph the node comes from. */
  readonly version: number;
  /** Adds an initialiser under a free name based on `base`, and returns the name. */
  constant(base: string, tensor: Tensor): string;
  /** A free value name based on `base`. */
  unique(base: string): string;
  /** Whether a value is read by a node or is an output of the graph. */
  isUsed(value: string): boolean;
  /** The rank of a value, where it can be told. */
  rankOf(value: string): number | undefined;
}

export interface OpsetChange {
  /** The opset that brought today's form; nodes of older ones are converted. */
  readonly since: number;
  /** The nodes that compute today what `node` computed; the last one has its outputs. */
  readonly convert: (node: Node, context: ChangeContext) => readonly Node[];
}

/** Operators whose meaning changed at an opset, without a way to write the old meaning that Wildmark knows. */
export const withoutEquivalent: Readonly<Record<string, number>> = {
  GridSample: 20,
  DFT: 20,
  RoiAlign: 16,
};

export const opsetChanges: Readonly<Record<string, OpsetChange>> = {
  Squeeze: { since: 13, convert: axesToInput },
  Unsqueeze: { since: 13, convert: axesToInput },
  ReduceSum: { since: 13, convert: axesToInput },
  ...Object.fromEntries(
    ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"].map((kind) => [
      `Reduce${kind}`,
      { since: 18, convert: axesToInput },
    ]),
  ),
  Slice: { since: 10, convert: slice },
  Pad: { since: 11, convert: pad },
  Clip: { since: 11, convert: clip },
  TopK: { since: 10, convert: topK },
  Split: { since: 18, convert: split },
  Dropout: { since: 12, convert: dropout },
  BatchNormalization: { since: 14, convert: batchNormalization },
  GroupNormalization: { since: 21, convert: groupNormalization },
  Softmax: { since: 13, convert: softmax },
  LogSoftmax: { since: 13, convert: softmax },
  Hardmax: { since: 13, convert: softmax },
  Upsample: { since: 10, convert: upsample },
  Resize: { since: 11, convert: upsample },
  Scatter: { since: 11, convert: (node) => [{ ...node, opType: "ScatterElements" }] },
};

/** `axes` was an attribute; it is input 1 now. */
function axesToInput(node: Node, c: ChangeContext): Node[] {
  const axes = intsAttribute(node, "axes");
  if (axes === undefined) return [node];
  return [{ ...without(node, "axes"), inputs: [...node.inputs, integers(node, c, "axes", axes)] }];
}

/** `starts`, `ends` and `axes` were attributes. */
function slice(node: Node, c: ChangeContext): Node[] {
  const starts = intsAttribute(node, "starts") ?? [];
  const ends = intsAttribute(node, "ends") ?? [];
  const axes = intsAttribute(node, "axes") ?? starts.map((_, axis) => axis);
  const inputs = [
    ...node.inputs,
    integers(node, c, "starts", starts),
    integers(node, c, "ends", ends),
    integers(node, c, "axes", axes),
  ];
  return [{ ...node, inputs, attributes: {} }];
}

/** `pads` and `value` were attributes. */
function pad(node: Node, c: ChangeContext): Node[] {
  const pads = integers(node, c, "pads", intsAttribute(node, "pads") ?? []);
  const value = floatAttribute(node, "value", 0);
  const fill = value === 0 ? [] : [scalar(node, c, "value", value)];
  return [{ ...without(node, "pads", "value"), inputs: [...node.inputs, pads, ...fill] }];
}

/** `min` and `max` were attributes. */
function clip(node: Node, c: ChangeContext): Node[] {
  const bounds = ["min", "max"].map((name) => {
    const { [name]: bound } = node.attributes;
    return bound?.kind === "float" ? scalar(node, c, name, bound.value) : "";
  });
  return [{ ...without(node, "min", "max"), inputs: [...node.inputs, ...trimmed(bounds)] }];
}

/** `k` was an attribute. */
function topK(node: Node, c: ChangeContext): Node[] {
  const k = integers(node, c, "k", [intAttribute(node, "k", 1)]);
  return [{ ...without(node, "k"), inputs: [...node.inputs, k] }];
}

/** The lengths were an attribute until 13; since 18, equal parts need their number. */
function split(node: Node, c: ChangeContext): Node[] {
  const lengths = c.version < 13 ? intsAttribute(node, "split") : undefined;
  if (lengths !== undefined) {
    return [{ ...without(node, "split"), inputs: [...node.inputs, integers(node, c, "split", lengths)] }];
  }
  if ((node.inputs[1] ?? "") !== "") return [node];
  const parts: Attribute = { kind: "int", value: node.outputs.length };
  return [{ ...node, attributes: { ...node.attributes, num_outputs: parts } }];
}

/** `ratio` was an attribute; before 10 the mask was made of floats. */
function dropout(node: Node, c: ChangeContext): Node[] {
  const [output = "", mask = ""] = node.outputs;
  const wanted = mask !== "" && c.isUsed(mask);
  if (wanted && c.version < 10)
    throw changed(node, c, "its mask is read, which was of floats and is of booleans today");
  const inputs = [...node.inputs, scalar(node, c, "ratio", floatAttribute(node, "ratio", 0.5))];
  return [{ ...without(node, "ratio"), inputs, outputs: wanted ? [output, mask] : [output] }];
}

/** Until 14 a node trained when it had more than one output; until 9 it could normalise each position by itself. */
function batchNormalization(node: Node, c: ChangeContext): Node[] {
  if (intAttribute(node, "spatial", 1) === 0)
    throw changed(node, c, "it normalises each position by itself (spatial = 0)");
  const [output = "", ...statistics] = node.outputs;
  if (statistics.some((value) => value !== "" && c.isUsed(value))) {
    throw changed(node, c, "it was exported in training mode");
  }
  return [{ ...without(node, "spatial"), outputs: [output] }];
}

/**
 * Until 21 scale and bias were a number a group: what InstanceNormalization does with groups in the place of channels.
 */
function groupNormalization(node: Node, c: ChangeContext): Node[] {
  const [input = "", ...weights] = node.inputs;
  const [output = ""] = node.outputs;
  const groups = c.unique(`${output}_groups`);
  const normal = c.unique(`${output}_normal`);
  const shape = c.unique(`${output}_shape`);
  const grouped = integers(node, c, "grouped", [0, intAttribute(node, "num_groups", 1), -1]);
  return [
    step("Reshape", [input, grouped], groups),
    {
      ...without(node, "num_groups"),
      opType: "InstanceNormalization",
      inputs: [groups, ...weights],
      outputs: [normal],
    },
    step("Shape", [input], shape),
    step("Reshape", [normal, shape], output),
  ];
}

/** Until 13 the axes from `axis` (default 1) on were taken together; today only `axis` itself is (default -1). */
function softmax(node: Node, c: ChangeContext): Node[] {
  const [input = ""] = node.inputs;
  const [output = ""] = node.outputs;
  const axis = intAttribute(node, "axis", 1);
  const rank = c.rankOf(output) ?? c.rankOf(input);
  const last: Attribute = { kind: "int", value: -1 };
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) return [{ ...node, attributes: { axis: last } }];
  const rows = c.unique(`${output}_rows`);
  const scores = c.unique(`${output}_scores`);
  const shape = c.unique(`${output}_shape`);
  return [
    step("Flatten", [input], rows, { axis: { kind: "int", value: axis } }),
    { ...node, inputs: [rows], outputs: [scores], attributes: { axis: last } },
    step("Shape", [input], shape),
    step("Reshape", [scores, shape], output),
  ];
}

/** `Upsample` (7, 9) and the first `Resize` (10) take the pixel at ⌊x / scale⌋, which today's `Resize` is told to. */
function upsample(node: Node, c: ChangeContext): Node[] {
  const { scales: stored } = node.attributes;
  const [input = "", second = ""] = node.inputs;
  const scales =
    stored?.kind === "floats"
      ? c.constant(`${labelOf(node)}_scales`, float32([stored.value.length], stored.value))
      : second;
  const attributes: Node["attributes"] = {
    mode: { kind: "string", value: stringAttribute(node, "mode", "nearest") },
    coordinate_transformation_mode: { kind: "string", value: "asymmetric" },
    nearest_mode: { kind: "string", value: "floor" },
  };
  return [{ ...node, opType: "Resize", inputs: [input, "", scales], attributes }];
}

function changed(node: Node, c: ChangeContext, why: string): WildmarkError {
  return new WildmarkError("bad-model", `${describeNode(node)} (opset ${c.version}) cannot be used: ${why}.`, {
    hint: "Export the model again for inference, with opset 13 or newer.",
  });
}

function without(node: Node, ...names: readonly string[]): Node {
  const kept = Object.entries(node.attributes).filter(([name]) => !names.includes(name));
  return { ...node, attributes: Object.fromEntries(kept) };
}

function step(opType: string, inputs: readonly string[], output: string, attributes: Node["attributes"] = {}): Node {
  return { name: "", opType, domain: "", inputs, outputs: [output], attributes };
}

function integers(node: Node, c: ChangeContext, base: string, values: readonly number[]): string {
  return c.constant(`${labelOf(node)}_${base}`, int64([values.length], values));
}

function scalar(node: Node, c: ChangeContext, base: string, value: number): string {
  return c.constant(`${labelOf(node)}_${base}`, float32([], [value]));
}

function labelOf(node: Node): string {
  return node.outputs[0] ?? node.opType;
}

/** Inputs without the empty ones at the end. */
function trimmed(inputs: readonly string[]): readonly string[] {
  return inputs.slice(0, inputs.findLastIndex((input) => input !== "") + 1);
}
