/**
 * @file Shapes and constants of every value of a graph, had from ONNX Runtime itself.
 *
 * When a session is made whose inputs have fixed shapes, ONNX Runtime infers the types and shapes of its outputs, so every
 * intermediate value is made one. Only what that leaves open is computed, by a second session that keeps nothing else:
 * fetching all values would take more memory than a training step.
 */

import type { TracedValue } from "../autodiff/trace.js";
import { elementCount, type Tensor } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";
import { type InferredOutput, startEngine } from "./onnxruntime.js";
import type { RuntimeOptions } from "./options.js";
import { createSession } from "./session.js";

/** Constants up to this many elements are kept: axes, pads and shapes are short, and rules need nothing longer. */
const LONGEST_CONSTANT = 4096;

/**
 * Traces `graph` on `feeds`, which fix every shape.
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

  const onCpu = { ...options, device: "cpu" as const };
  const inputs = graph.inputs.map((input) => ({ ...input, dims: feeds.get(input.name)?.dims ?? input.dims }));
  const values = graph.nodes.flatMap((node) => node.outputs.filter((output) => output !== ""));
  const fixed = valuesFixedByShapes(graph);
  const open: string[] = [];
  for (const [name, value] of await inferValues(withOutputs({ ...graph, inputs }, values), onCpu)) {
    if (value === undefined || (fixed.has(name) && isShort(value.dims))) open.push(name);
    else trace.set(name, value);
  }
  if (open.length === 0) return trace;
  const session = await createSession(withOutputs(graph, open), onCpu);
  try {
    for (const [name, tensor] of await session.run(feeds)) trace.set(name, keepIfShort(tensor, fixed.has(name)));
  } finally {
    await session.release();
  }
  return trace;
}

/** Types and dimensions of the graph's outputs as they follow from the graph; undefined where they do not. */
async function inferValues(graph: Graph, options: RuntimeOptions): Promise<Map<string, TracedValue | undefined>> {
  const engine = await startEngine(graph, options);
  await engine.release();
  return new Map(engine.outputNames.map((name, i) => [name, known(engine.outputs[i])]));
}

function known(output: InferredOutput | undefined): TracedValue | undefined {
  const dims = output?.dims.filter((dim) => typeof dim === "number") ?? [];
  // No dimensions may mean a scalar, or that nothing is known.
  if (output === undefined || dims.length < output.dims.length || dims.length === 0) return undefined;
  return { type: output.type, dims };
}

function withOutputs(graph: Graph, names: readonly string[]): Graph {
  return { ...graph, outputs: names.map((name) => ({ name, type: undefined, dims: undefined })) };
}

function keepIfShort(tensor: Tensor, fixed: boolean): TracedValue {
  const { type, dims } = tensor;
  return fixed && isShort(dims) ? { type, dims, constant: tensor } : { type, dims };
}

function isShort(dims: readonly number[]): boolean {
  return elementCount(dims) <= LONGEST_CONSTANT;
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
