/** @file What is frozen when training starts at a node in the middle of a graph: all that the node is computed from. */

import { WildmarkError } from "../core/errors.js";
import type { Graph, Node } from "./graph.js";

/** The node called `name`, or that computes the value called so. */
function nodeCalled(graph: Graph, name: string): Node {
  const found =
    graph.nodes.find((node) => node.name === name) ?? graph.nodes.find((node) => node.outputs.includes(name));
  if (found !== undefined && name !== "") return found;
  throw new WildmarkError("usage", `The model has no node "${name}".`, {
    hint: "Name a node, or the value that it computes.",
  });
}

/**
 * The stored tensors that the inputs of a node are computed from. The node's own weights are not among them, unless
 * they serve before it too.
 *
 * @param name undefined for none, which freezes nothing.
 * @throws WildmarkError `usage` where there is no such node.
 */
export function storedBefore(graph: Graph, name: string | undefined): ReadonlySet<string> {
  if (name === undefined) return new Set();
  const start = nodeCalled(graph, name);
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  // What the node computes from (the data) is frozen; a view of its own weight is not.
  const fed = new Set(graph.inputs.map((input) => input.name));
  const moving = new Set(fed);
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => moving.has(input))) for (const output of node.outputs) moving.add(output);
  }
  const wanted = new Set(start.inputs.filter((input) => made.has(input) && moving.has(input)));
  const stored = new Set<string>();
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => wanted.has(output))) continue;
    for (const input of node.inputs) {
      wanted.add(input);
      if (graph.initializers.has(input)) stored.add(input);
    }
  }
  return stored;
}
