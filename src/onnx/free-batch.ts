/**
 * @file Loosens what an export for a fixed number of images baked in, so that the graph takes any number.
 *
 * Exporters write the batch into the targets of Reshape, the sizes of Resize and into constants that are joined to the
 * data (class tokens). It stands first there by convention; whether that holds for a graph shows when it runs
 * (`training/rows.ts`): images together and apart must give the same scores.
 */

import { int64, toNumbers } from "../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "./builder.js";
import { type Graph, intAttribute, type Node } from "./graph.js";
import { isOperator, valuesFrom } from "./traverse.js";

/** @param graph in canonical form, for batches of exactly `batch` images at `input`. */
export function withFreeBatch(graph: Graph, input: string, batch: number): Graph {
  const fromInput = valuesFrom(graph, [input]);
  const b = graphBuilder(graph.name, { from: { ...graph, nodes: [] }, keepOutputs: true });
  const taken = new Set([
    ...[input, ...graph.initializers.keys()],
    ...graph.nodes.flatMap((node) => [node.name, ...node.outputs]),
  ]);
  const free = (base: string): string => {
    let name = base;
    for (let count = 1; taken.has(name); count++) name = `${base}_${count}`;
    taken.add(name);
    return name;
  };
  const known = knownVectors(graph);
  const expanded = expandedTo(graph, known);
  const bakedInts = (value: string | undefined): readonly number[] | undefined => {
    const numbers = known.get(value ?? "");
    return numbers?.[0] === batch ? numbers : undefined;
  };
  const withInput = (node: Node, index: number, value: string): Node => ({
    ...node,
    inputs: node.inputs.map((old, i) => (i === index ? value : old)),
  });

  for (const node of graph.nodes) {
    const [data = ""] = node.inputs;
    const target = bakedInts(node.inputs[1]);
    const sizes = bakedInts(node.inputs[3]);
    if (isOperator(node, "Reshape") && fromInput.has(data) && target !== undefined && !keepsZeros(node, target)) {
      const loose = [target.includes(-1) ? 0 : -1, ...target.slice(1)];
      const { allowzero: _, ...attributes } = node.attributes;
      const stored = b.initializer(free(`${node.inputs[1]}_free`), int64([loose.length], loose));
      b.append({ ...withInput(node, 1, stored), attributes });
    } else if (isOperator(node, "Resize") && fromInput.has(data) && sizes !== undefined) {
      const rest = b.initializer(free(`${node.inputs[3]}_rest`), int64([sizes.length - 1], sizes.slice(1)));
      b.append(withInput(node, 3, joined(b, data, rest, free)));
    } else if (isOperator(node, "Concat") && intAttribute(node, "axis", 0) !== 0) {
      const reference = node.inputs.find((value) => fromInput.has(value));
      const inputs = node.inputs.map((value) => {
        const dims = fromInput.has(value) ? undefined : (graph.initializers.get(value)?.dims ?? expanded.get(value));
        if (reference === undefined || dims?.[0] !== batch) return value;
        return repeated(b, value, dims, reference, free);
      });
      b.append({ ...node, inputs });
    } else {
      b.append(node);
    }
  }
  return b.build();
}

/**
 * Whether a zero in the target means no elements (`allowzero`). PyTorch says so of every Reshape, also where there is
 * none.
 */
function keepsZeros(node: Node, target: readonly number[]): boolean {
  return intAttribute(node, "allowzero", 0) !== 0 && target.includes(0);
}

/** The dimensions of what `Expand` makes of a value to known sizes, where none of them is left to the value. */
function expandedTo(
  graph: Graph,
  known: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, readonly number[]> {
  const dims = new Map<string, readonly number[]>();
  for (const node of graph.nodes) {
    const [data = "", sizes = ""] = node.inputs;
    const [output = ""] = node.outputs;
    const [stored, target] = [graph.initializers.get(data)?.dims, known.get(sizes)];
    if (!isOperator(node, "Expand") || stored === undefined || target?.length !== stored.length) continue;
    dims.set(
      output,
      target.map((size, axis) => (size === 1 ? (stored[axis] ?? 1) : size)),
    );
  }
  return dims;
}

/**
 * The int64 vectors that are stored, or put together from what is stored: exporters compute shapes in several nodes.
 */
function knownVectors(graph: Graph): ReadonlyMap<string, readonly number[]> {
  const known = new Map<string, readonly number[]>();
  for (const [name, tensor] of graph.initializers) {
    if (tensor.type === "int64" && tensor.dims.length === 1) known.set(name, toNumbers(tensor));
  }
  for (const node of graph.nodes) {
    const [output = "", ...others] = node.outputs;
    const [input = ""] = node.inputs;
    const parts = node.inputs.map((value) => known.get(value));
    const whole = !("start" in node.attributes) && !("end" in node.attributes);
    const dims = graph.initializers.get(input)?.dims;
    if (others.length > 0) continue;
    if (isOperator(node, "Shape") && whole && dims !== undefined) known.set(output, dims);
    if (isOperator(node, "Concat") && parts.every((part) => part !== undefined)) known.set(output, parts.flat());
  }
  return known;
}

/** [rows of `data`, …rest] */
function joined(b: GraphBuilder, data: string, rest: string, free: (base: string) => string): string {
  const rows = op(b, "Shape", [data], free(`${data}_rows`), { start: 0, end: 1 });
  return op(b, "Concat", [rows, rest], free(`${data}_sizes`), { axis: 0 });
}

/** The first row of a constant, once for each row of `data`. */
function repeated(
  b: GraphBuilder,
  value: string,
  dims: readonly number[],
  data: string,
  free: (base: string) => string,
): string {
  const ones = b.initializer(
    free(`${value}_ones`),
    int64(
      [dims.length - 1],
      dims.slice(1).map(() => 1),
    ),
  );
  const first =
    dims[0] === 1 ? value : op(b, "Slice", [value, b.ints([0]), b.ints([1]), b.ints([0])], free(`${value}_first`));
  return op(b, "Expand", [first, joined(b, data, ones, free)], free(`${value}_repeated`));
}

function op(
  b: GraphBuilder,
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, number>> = {},
): string {
  const stored = Object.entries(attributes).map(([name, value]) => [name, { kind: "int", value }] as const);
  b.append({ name: output, opType, domain: "", inputs, outputs: [output], attributes: Object.fromEntries(stored) });
  return output;
}
