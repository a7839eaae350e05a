/** @file Which values of a graph may be written over an input that they replace in the next run. */

import type { Graph, Node } from "../onnx/graph.js";

/**
 * Whether `output` may be written where `input` lies: whatever reads the input has then run, because the output needs all of
 * it. So it is for an optimiser's averages, which one node reads; not for weights, which gradients of other layers read at a
 * time that is the runtime's to choose.
 */
export function mayReplace(graph: Graph, input: string, output: string): boolean {
  const producers = producersOf(graph);
  const last = producers.get(output);
  if (last === undefined) return false;
  const needed = new Set<Node>();
  const open = [...last.inputs];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const node = producers.get(value);
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    open.push(...node.inputs);
  }
  // The node that writes the output may read nothing of the input itself: operators need not work in place.
  const readers = graph.nodes.filter((node) => node.inputs.includes(input));
  const harmless = (reader: Node): boolean => needed.has(reader) && !SHARING.has(reader.opType);
  return !graph.outputs.some(({ name }) => name === input) && readers.every(harmless);
}

/** What ONNX Runtime may compute by another name for the same memory, which whoever reads that name would find written over. */
const SHARING = new Set(["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

const remembered = new WeakMap<Graph, ReadonlyMap<string, Node>>();

/** By value; made once a graph. */
function producersOf(graph: Graph): ReadonlyMap<string, Node> {
  const known = remembered.get(graph);
  if (known !== undefined) return known;
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  remembered.set(graph, producers);
  return producers;
}
