/**
 * @file Small questions about a graph that several rooms ask: who makes a value, what is constant, what depends on
 * what.
 */

import type { Tensor } from "../core/tensor.js";
import type { Graph, Node } from "./graph.js";

/** The node that computes each value; values that are fed or stored have none. */
export function producersOf(graph: Graph): ReadonlyMap<string, Node> {
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== "") producers.set(output, node);
  return producers;
}

/** Every stored tensor by the name of its value: the initialisers, and what `Constant` nodes hold as a tensor. */
export function storedTensors(graph: Graph): ReadonlyMap<string, Tensor> {
  const stored = new Map(graph.initializers);
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const { value } = node.attributes;
    if (isOperator(node, "Constant") && output !== undefined && value?.kind === "tensor") {
      stored.set(output, value.value);
    }
  }
  return stored;
}

/** The names of `sources` and of every value that is computed from one of them. */
export function valuesFrom(graph: Graph, sources: Iterable<string>): ReadonlySet<string> {
  const reached = new Set(sources);
  for (const node of graph.nodes) {
    if (!node.inputs.some((input) => reached.has(input))) continue;
    for (const output of node.outputs) if (output !== "") reached.add(output);
  }
  return reached;
}

/** The nodes that `value` is computed by, in graph order. */
export function nodesBefore(graph: Graph, value: string): readonly Node[] {
  const wanted = new Set([value]);
  return graph.nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((output) => wanted.has(output))) return false;
      for (const input of node.inputs) if (input !== "") wanted.add(input);
      return true;
    })
    .toReversed();
}

/** Whether a node is one of these operators of the standard domain. */
export function isOperator(node: Node, ...opTypes: readonly string[]): boolean {
  return node.domain === "" && opTypes.includes(node.opType);
}

/** The values that are computed from what the graph's inputs hold; their shapes alone do not count. */
export function imageValues(graph: Graph): ReadonlySet<string> {
  return valuesFrom(
    { ...graph, nodes: graph.nodes.filter((node) => !isOperator(node, "Shape", "Size")) },
    graph.inputs.map(({ name }) => name),
  );
}
