/**
 * @file Puts one graph into another: a second model that looks at the same images (a teacher, the model before tuning),
 * with weights of its own.
 */

import type { GraphBuilder } from "./builder.js";
import type { Graph } from "./graph.js";

/**
 * Appends the nodes and initialisers of `graph`, all names behind a prefix.
 *
 * @param prefix such as "wildmark/teacher"; no name of the host begins so.
 * @param inputs what the guest reads in place of each of its inputs, by name; all of them.
 * @returns the new name of each value, initialisers included.
 */
export function splice(
  b: GraphBuilder,
  graph: Graph,
  prefix: string,
  inputs: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>([["", ""], ...inputs]);
  const missing = graph.inputs.find(({ name }) => !names.has(name));
  if (missing !== undefined) throw new Error(`splice: nothing is given for the input "${missing.name}"`);
  for (const [name, tensor] of graph.initializers) names.set(name, b.initializer(`${prefix}/${name}`, tensor));
  const named = (value: string): string => names.get(value) ?? value;
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output !== "") names.set(output, `${prefix}/${output}`);
    const name = node.name === "" ? "" : `${prefix}/${node.name}`;
    b.append({ ...node, name, inputs: node.inputs.map(named), outputs: node.outputs.map(named) });
  }
  return names;
}
