/** @file The part of a graph that one value decides: what has to be computed again when only that value changes. */

import type { Graph, Node } from "./graph.js";
import { valuesFrom } from "./traverse.js";

export interface Tail {
  /** In graph order. */
  readonly nodes: readonly Node[];
  /** Names of the values that those nodes read besides: fed to the graph, or computed without `value`. */
  readonly beside: readonly string[];
}

export function tailOf(graph: Graph, value: string): Tail {
  const reached = valuesFrom(graph, [value]);
  const nodes = graph.nodes.filter((node) => node.inputs.some((input) => reached.has(input)));
  const beside = new Set(nodes.flatMap((node) => node.inputs).filter((input) => input !== "" && !reached.has(input)));
  return { nodes, beside: [...beside].filter((name) => !graph.initializers.has(name)) };
}
