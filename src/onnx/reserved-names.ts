/**
 * @file Keeps the names of a user's graph apart from those of Wildmark's own making: derived graphs call what they add
 * `wildmark/…`, and a model may, legally, have a value called so.
 *
 * Such values are called otherwise in the view (`graph.ts`); the file keeps its names, and weights are written back
 * under them.
 */

import type { Graph, ValueInfo } from "./graph.js";

/** What derived graphs begin their own names with. */
const RESERVED = "wildmark/";

/** JavaScript's objects, in which ONNX Runtime is fed by name, take this one for their prototype. */
const SPECIAL = "__proto__";

export interface SafelyNamed {
  readonly graph: Graph;
  /** The file's name of each value of `graph` that is called otherwise there. */
  readonly inFile: ReadonlyMap<string, string>;
}

/** The graph itself where no name is reserved. */
export function withSafeNames(graph: Graph): SafelyNamed {
  const values = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const safe = new Map<string, string>();
  for (const name of values) {
    if (!isReserved(name)) continue;
    let other = `model:${name}`;
    while (values.has(other)) other = `model:${other}`;
    safe.set(name, other);
  }
  if (safe.size === 0 && !graph.nodes.some(({ name }) => isReserved(name))) return { graph, inFile: new Map() };
  const named = (name: string): string => safe.get(name) ?? name;
  const info = (value: ValueInfo): ValueInfo => ({ ...value, name: named(value.name) });
  return {
    graph: {
      ...graph,
      inputs: graph.inputs.map(info),
      outputs: graph.outputs.map(info),
      nodes: graph.nodes.map((node) => ({
        ...node,
        name: isReserved(node.name) ? `model:${node.name}` : node.name,
        inputs: node.inputs.map(named),
        outputs: node.outputs.map(named),
      })),
      initializers: new Map([...graph.initializers].map(([name, tensor]) => [named(name), tensor])),
    },
    inFile: new Map([...safe].map(([name, other]) => [other, name])),
  };
}

function isReserved(name: string): boolean {
  return name.startsWith(RESERVED) || name === SPECIAL;
}
