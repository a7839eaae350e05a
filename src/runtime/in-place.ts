/** @file Which values of a graph may be written over an input that they replace in the next run. */

import type { Graph } from "../onnx/graph.js";
import { nodesBefore } from "../onnx/traverse.js";

/**
 * Whether `output` may be written where `input`, of the same dimensions, lies: whatever reads the input has then run,
 * because the output needs all of it. Weights are read by gradients of other layers too, at a time that is the
 * runtime's to choose: they may be replaced where their update waits for those.
 */
export function mayReplace(graph: Graph, input: string, output: string): boolean {
  const last = graph.nodes.find(({ outputs }) => outputs.includes(output));
  if (last === undefined) return false;
  const names = namesOf(graph, input);
  if (names.has(output) || graph.outputs.some(({ name }) => names.has(name))) return false;
  const needed = new Set(nodesBefore(graph, output));
  return graph.nodes.every((reader) => {
    if (!reader.inputs.some((name) => names.has(name))) return true;
    if (reader === last)
      return ELEMENTWISE.has(last.opType) && !last.inputs.some((name) => name !== input && names.has(name));
    // What only gives the input another name reads nothing of it.
    return needed.has(reader) || SHARING.has(reader.opType);
  });
}

/**
 * What ONNX Runtime may compute by another name for the same memory, which whoever reads that name would find written
 * over.
 */
const SHARING = new Set(["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

/**
 * What ONNX Runtime itself computes over an input of the output's dimensions: each element needs that element alone.
 */
const ELEMENTWISE = new Set(["Add", "Sub", "Mul", "Div"]);

/** The input's name, and every other for memory that may be the input's. */
function namesOf(graph: Graph, input: string): ReadonlySet<string> {
  const names = new Set([input]);
  for (const { opType, inputs, outputs } of graph.nodes) {
    if (SHARING.has(opType) && names.has(inputs[0] ?? "")) for (const output of outputs) names.add(output);
  }
  return names;
}
