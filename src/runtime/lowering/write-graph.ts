/**
 * @file Writes a graph anew: each node gives way, in its place, to what its kernel appends; values keep their names.
 */

import { graphBuilder } from "../../onnx/builder.js";
import type { Graph, Node } from "../../onnx/graph.js";
import type { Placement } from "./layout-pass.js";
import { layoutsOf } from "./layouts.js";

/**
 * The same graph computed as `placements` say. Names of inputs, outputs and existing values are kept, but a value that
 * only nodes in blocks read is there in blocks only, under another name.
 */
export function writeGraph(graph: Graph, placements: readonly Placement[]): Graph {
  if (placements.every(({ chosen }) => chosen === undefined)) return graph;
  const b = graphBuilder(graph.name, { from: graph, keepOutputs: true });
  const layouts = layoutsOf(b);
  const nodes: Node[] = [];
  const shared = new Map<string, string>();
  const once = (key: string, make: () => string): string => {
    const name = shared.get(key) ?? make();
    shared.set(key, name);
    return name;
  };
  /** Moves what `append` appends to the end of the written graph. */
  const collect = <T>(append: () => T): T => {
    const start = b.build().nodes.length;
    const result = append();
    nodes.push(...b.build().nodes.slice(start));
    return result;
  };

  for (const { node, chosen } of placements) {
    if (chosen === undefined) {
      const inputs = collect(() => node.inputs.map((input) => layouts.read(input, undefined)));
      nodes.push({ ...node, inputs });
      continue;
    }
    const { replacement } = chosen;
    const made = collect(() =>
      replacement.append({
        b,
        input(i) {
          const name = node.inputs[i] ?? "";
          return name === "" ? name : layouts.read(name, replacement.reads?.[i]);
        },
        once,
        producer: (value) => nodes.find(({ outputs }) => outputs.includes(value)),
        replace: (old, other) => nodes.splice(nodes.indexOf(old), 1, other),
      }),
    );
    const [first = "", ...others] = typeof made === "string" ? [made] : made;
    layouts.define((replacement.along ?? node).outputs[0] ?? "", first, replacement.gives);
    others.forEach((name, i) => {
      const output = node.outputs[i + 1] ?? "";
      if (output !== "") layouts.define(output, name, undefined);
    });
  }

  // What was computed under another name gets its own one, and so does each output of the graph.
  const wanted = new Set(graph.outputs.map(({ name }) => name));
  const names = new Map<string, string>();
  for (const value of [...wanted, ...graph.nodes.flatMap((node) => node.outputs)]) {
    if (!layouts.isDefined(value) || !(wanted.has(value) || layouts.isRenamed(value))) continue;
    const made = collect(() => layouts.read(value, undefined));
    if (!names.has(made)) names.set(made, value);
    else if (wanted.has(value) && names.get(made) !== value) {
      nodes.push({ name: "", opType: "Identity", domain: "", inputs: [made], outputs: [value], attributes: {} });
    }
  }
  return { ...b.build(), nodes: nodes.map((node) => renamed(node, names)) };
}

function renamed(node: Node, names: ReadonlyMap<string, string>): Node {
  const rename = (value: string): string => names.get(value) ?? value;
  return { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) };
}
