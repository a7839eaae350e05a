/**
 * @file Shapes and constants of every value of a graph, had from ONNX Runtime itself by running the graph once.
 *
 * Every intermediate value becomes an output; graph optimisations may fold or fuse nodes, but declared outputs stay.
 */

import type { TracedValue } from "../autodiff/trace.js";
import { elementCount, type Tensor } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";
import { createSession, type RuntimeOptions } from "./session.js";

/** Constants up to this many elements are kept: axes, pads and shapes are short, and rules need nothing longer. */
const LONGEST_CONSTANT = 4096;

/**
 * Runs `graph` once on `feeds`, which fix every shape.
 *
 * @throws WildmarkError `runtime` where ONNX Runtime refuses the graph or the shapes do not fit.
 */
export async function traceGraph(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  options: RuntimeOptions = {},
): Promise<Map<string, TracedValue>> {
  const trace = new Map<string, TracedValue>();
  for (const [name, tensor] of feeds) trace.set(name, { type: tensor.type, dims: tensor.dims });
  for (const [name, tensor] of graph.initializers) trace.set(name, keepIfShort(tensor, true));

  const fixed = valuesFixedByShapes(graph);
  const outputs = graph.nodes.flatMap((node) => node.outputs.filter((output) => output !== ""));
  const session = await createSession(
    { ...graph, outputs: outputs.map((name) => ({ name, type: undefined, dims: undefined })) },
    { ...options, device: "cpu" },
  );
  try {
    for (const [name, tensor] of await session.run(feeds)) trace.set(name, keepIfShort(tensor, fixed.has(name)));
  } finally {
    await session.release();
  }
  return trace;
}

function keepIfShort(tensor: Tensor, fixed: boolean): TracedValue {
  const { type, dims } = tensor;
  return fixed && elementCount(dims) <= LONGEST_CONSTANT ? { type, dims, constant: tensor } : { type, dims };
}

/** Values that depend on shapes and initialisers only, never on what is fed. */
function valuesFixedByShapes(graph: Graph): Set<string> {
  const fixed = new Set<string>(graph.initializers.keys());
  for (const node of graph.nodes) {
    const random = node.opType.startsWith("Random") || node.opType === "Multinomial" || node.opType === "Bernoulli";
    const ofShape = node.opType === "Shape" || node.opType === "Size";
    if (ofShape || (!random && node.inputs.every((input) => input === "" || fixed.has(input)))) {
      for (const output of node.outputs) fixed.add(output);
    }
  }
  return fixed;
}
