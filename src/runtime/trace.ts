/**
 * @file Shapes and constants of every value of a graph, had from ONNX Runtime itself by running the graph once.
 *
 * Of values that depend on what is fed only the shapes are fetched, by a `Shape` node each: all values together take
 * more memory than a training step. ONNX Runtime's own inference gives the types; it is not believed in shapes, because
 * it is wrong where an Einsum broadcasts, and so that it does not come in by constant folding, nodes run as written.
 */

import type { TracedValue } from "../autodiff/trace.js";
import { WildmarkError } from "../core/errors.js";
import { type ElementType, elementCount, type Tensor, toNumbers } from "../core/tensor.js";
import type { Graph, Node } from "../onnx/graph.js";
import { startEngine } from "./onnxruntime.js";
import type { EngineOptions, RuntimeOptions } from "./options.js";
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
  for (const [name, tensor] of graph.initializers) trace.set(name, keepIfShort(tensor));

  const engineOptions = { ...options, device: "cpu", asWritten: true } as const;
  const fixed = valuesFixedByShapes(graph);
  const values = graph.nodes.flatMap((node) => node.outputs.filter((output) => output !== ""));
  const { fed, weights } = withWeightsFed(graph);
  const types = await inferTypes(withOutputs(fed, values), engineOptions);
  const measured = new Map(values.filter((name) => !fixed.has(name)).map((name) => [`Shape of ${name}`, name]));
  const nodes = [...measured].map(([shape, name]) => shapeNode(name, shape));
  const wanted = [...values.filter((name) => fixed.has(name)), ...measured.keys()];
  const results = await runOnce(
    withOutputs({ ...fed, nodes: [...fed.nodes, ...nodes] }, wanted),
    new Map([...feeds, ...weights]),
    engineOptions,
  );
  for (const [output, tensor] of results) {
    const name = measured.get(output);
    const type = types.get(name ?? "");
    if (name === undefined || type === undefined) trace.set(output, keepIfShort(tensor));
    else trace.set(name, { type, dims: toNumbers(tensor) });
  }
  return trace;
}

/**
 * The graph with its long initialisers as inputs: a model's weights, which ONNX Runtime would hold three times while it
 * loads them.
 */
function withWeightsFed(graph: Graph): { readonly fed: Graph; readonly weights: ReadonlyMap<string, Tensor> } {
  const isWeight = ({ type, dims }: Tensor): boolean => type === "float32" && elementCount(dims) > LONGEST_CONSTANT;
  const weights = new Map([...graph.initializers].filter(([, tensor]) => isWeight(tensor)));
  const inputs = [...weights].map(([name, { type, dims }]) => ({ name, type, dims }));
  const initializers = new Map([...graph.initializers].filter(([name]) => !weights.has(name)));
  return { fed: { ...graph, inputs: [...graph.inputs, ...inputs], initializers }, weights };
}

/** @throws WildmarkError `bad-model` naming an output that is no tensor of numbers. */
async function inferTypes(graph: Graph, options: EngineOptions): Promise<ReadonlyMap<string, ElementType>> {
  const engine = await startEngine(graph, options);
  await engine.release();
  return new Map(engine.outputNames.map((name, i) => [name, ofNumbers(name, engine.outputTypes[i])]));
}

function ofNumbers(name: string, type: ElementType | undefined): ElementType {
  if (type !== undefined) return type;
  throw new WildmarkError("bad-model", `"${name}" is no tensor of numbers; Wildmark takes models made of such.`);
}

async function runOnce(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  options: EngineOptions,
): Promise<Map<string, Tensor>> {
  const session = await createSession(graph, options);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

function shapeNode(value: string, shape: string): Node {
  return { name: shape, opType: "Shape", domain: "", inputs: [value], outputs: [shape], attributes: {} };
}

function withOutputs(graph: Graph, names: readonly string[]): Graph {
  return { ...graph, outputs: names.map((name) => ({ name, type: undefined, dims: undefined })) };
}

function keepIfShort(tensor: Tensor): TracedValue {
  const { type, dims } = tensor;
  return elementCount(dims) <= LONGEST_CONSTANT ? { type, dims, constant: tensor } : { type, dims };
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
