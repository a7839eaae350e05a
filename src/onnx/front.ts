/**
 * @file Puts nodes between a graph's image input and all that reads it: preprocessing, a stamp, an image that is
 * sought.
 */

import { type GraphBuilder, graphBuilder } from "./builder.js";
import type { Graph, ValueInfo } from "./graph.js";

/**
 * The graph fed by `input` in place of `original`, which becomes what `build` makes of it.
 *
 * @param original one of the graph's inputs.
 * @param input of another name; the others stay.
 * @param build appends nodes and returns the last value; `input` itself where nothing is to be done, and then the graph
 *   keeps the name `original`.
 */
export function withFront(
  graph: Graph,
  original: string,
  input: ValueInfo,
  build: (b: GraphBuilder, image: string) => string,
): { readonly graph: Graph; readonly input: ValueInfo } {
  const others = graph.inputs.filter(({ name }) => name !== original);
  const b = graphBuilder(graph.name, { from: { ...graph, inputs: [...others, input] }, keepOutputs: true });
  // A value of the graph still, so that nothing new may be called so.
  b.unique(original);
  const made = build(b, input.name);
  if (made === input.name) {
    const named = { ...input, name: original };
    return { graph: { ...graph, inputs: [...others, named] }, input: named };
  }
  const built = b.build();
  const front = built.nodes
    .slice(graph.nodes.length)
    .map((node) => ({ ...node, outputs: node.outputs.map((output) => (output === made ? original : output)) }));
  return { graph: { ...built, nodes: [...front, ...graph.nodes] }, input };
}
