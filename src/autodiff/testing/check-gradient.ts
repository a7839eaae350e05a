/**
 * @file Checks gradient rules: what ONNX Runtime computes with them in float32 against central differences of the
 * float64 reference.
 *
 * The loss is the sum of all outputs times fixed random weights, so that every output element matters and no error
 * cancels. Both sides start from the same numbers, rounded to float32.
 */

import { randomStream } from "../../core/random.js";
import { elementCount, type FloatTensor, float32, sameDims, type Tensor, toNumbers } from "../../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { lowerPrimitives } from "../../runtime/lowering/index.js";
import { createSession } from "../../runtime/session.js";
import { traceGraph } from "../../runtime/trace.js";
import { appendGradients, operatorName } from "../differentiate.js";
import type { GradientRules } from "../rule.js";
import { evaluate, type RefTensor, toReference } from "./reference.js";

/** A float32 input of the graph under test, and what it holds. */
export interface CheckedInput {
  readonly dims: readonly number[];
  /** Its elements; default: drawn from `between`. Keep away from kinks, where differences mean nothing. */
  readonly values?: readonly number[];
  /** Draws uniformly from this range; default: standard normal. */
  readonly between?: readonly [low: number, high: number];
  /** Stored in the graph instead of fed to it. Gradients are checked all the same. */
  readonly initializer?: boolean;
  /** Whether to ask for and check the gradient by it; default true. */
  readonly checked?: boolean;
}

export interface GradientCheck<K extends string = string> {
  /** Appends the nodes under test and returns the value or values whose every element shall matter. */
  readonly build: (b: GraphBuilder, names: Readonly<Record<K, string>>) => string | readonly string[];
  readonly inputs: Readonly<Record<K, CheckedInput>>;
  /** Of the drawn inputs and of the loss's weights; default 1. */
  readonly seed?: number;
  /**
   * Largest allowed difference, relative to the largest element of the tensor compared; default 1e-4.
   *
   * Float32 rounds to 6e-8 relative. Sums of a few hundred terms of both signs, and functions with derivatives up to 10
   * or so, leave errors up to 1e-5; a wrong term of a formula is off by 1e-1. The central differences themselves are
   * exact to 1e-9 (step 1e-5: truncation h², rounding 1e-16/h).
   */
  readonly tolerance?: number;
  /** Values through which no gradient shall flow: what they hold is kept fixed while inputs are varied. */
  readonly stopAt?: (names: Readonly<Record<K, string>>) => readonly string[];
  /** The operator set of the graph under test; default: the one of derived graphs. */
  readonly opset?: number;
  /** Rules to use instead of the ordinary ones. */
  readonly rules?: GradientRules;
}

export interface CheckedGradient {
  /** The operators that the graph under test is made of. */
  readonly operators: ReadonlySet<string>;
  /** Nodes of the derived graph, before lowering, that compute the gradients. */
  readonly gradientNodes: number;
  /** What ONNX Runtime computed, by input. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

const STEP = 1e-5;
const TOLERANCE = 1e-4;
/**
 * Tensors whose elements are all smaller are compared as if the largest were this: zeros come out as rounding errors.
 */
const SMALLEST_SCALE = 0.1;

/**
 * Differentiates the loss by every checked input and compares; also compares the forward values.
 *
 * @throws Error naming the input, the element, what was expected and what was found.
 */
export async function checkGradient<K extends string>(check: GradientCheck<K>): Promise<CheckedGradient> {
  const { seed = 1, tolerance = TOLERANCE } = check;
  const inputs = drawInputs(check.inputs, seed);
  const by = inputs.filter(({ checked }) => checked).map(({ name }) => name);

  const b = graphBuilder("gradient check", check.opset === undefined ? {} : { opset: check.opset });
  const { outputs, loss } = buildLoss(b, check, inputs, seed);
  const forward = snapshot(b.build());
  const feeds = new Map<string, Tensor>(
    inputs.filter(({ initializer }) => !initializer).map(({ name, tensor }) => [name, tensor]),
  );
  const trace = await traceGraph(forward, feeds);
  const stopAt = new Set(check.stopAt?.(namesOf(check.inputs)) ?? []);
  const { rules } = check;
  const derived = appendGradients(b, { trace, loss, by, stopAt, ...(rules === undefined ? {} : { rules }) });
  const gradientNodes = b.build().nodes.length - forward.nodes.length;

  // Identities, because one value may be the gradient by several inputs, and an output must have a name of its own.
  const named = new Map([...derived].map(([name, gradient]) => [name, b.op("Identity", [gradient])]));
  for (const output of new Set([...outputs, ...named.values()])) b.output(output);
  const session = await createSession(lowerPrimitives(b.build()));
  const results = await session.run(feeds);
  await session.release();

  const point = new Map(inputs.map(({ name, tensor }) => [name, toReference(tensor)]));
  const expected = evaluate(forward, point);
  for (const output of outputs) {
    compare(`the value of "${output}"`, results.get(output), required(expected, output), tolerance);
  }
  const gradients = new Map<string, Tensor>();
  for (const { name, tensor } of inputs.filter(({ checked }) => checked)) {
    const output = named.get(name);
    const gradient =
      output === undefined ? float32(tensor.dims, new Float32Array(tensor.data.length)) : results.get(output);
    compare(`the gradient by "${name}"`, gradient, centralDifferences(forward, point, name, loss, stopAt), tolerance);
    if (gradient !== undefined) gradients.set(name, gradient);
  }
  return { operators: new Set(forward.nodes.map(operatorName)), gradientNodes, gradients };
}

interface DrawnInput {
  readonly name: string;
  readonly tensor: FloatTensor;
  readonly initializer: boolean;
  readonly checked: boolean;
}

function drawInputs(inputs: Readonly<Record<string, CheckedInput>>, seed: number): DrawnInput[] {
  return Object.entries(inputs).map(([name, { dims, values, between, initializer = false, checked = true }]) => {
    const random = randomStream(seed, "input", name);
    const draw = (): number =>
      between === undefined ? random.normal() : between[0] + (between[1] - between[0]) * random.uniform();
    const data = values ?? Array.from({ length: elementCount(dims) }, draw);
    if (data.length !== elementCount(dims)) throw new Error(`input "${name}" needs ${elementCount(dims)} values`);
    return { name, tensor: float32(dims, data), initializer, checked };
  });
}

/** Declares the inputs, builds the nodes under test, and appends Σ output · weight as the loss. */
function buildLoss<K extends string>(
  b: GraphBuilder,
  check: GradientCheck<K>,
  inputs: readonly DrawnInput[],
  seed: number,
): { readonly outputs: readonly string[]; readonly loss: string } {
  for (const { name, tensor, initializer } of inputs) {
    if (initializer) b.initializer(name, tensor);
    else b.input(name, "float32", tensor.dims);
  }
  const built = check.build(b, namesOf(check.inputs));
  const outputs = typeof built === "string" ? [built] : built;
  const values = evaluate(b.build(), new Map(inputs.map(({ name, tensor }) => [name, toReference(tensor)])));
  const terms = outputs.map((output, i) => {
    const { dims } = required(values, output);
    const random = randomStream(seed, "weights", i);
    const weights = Float32Array.from({ length: elementCount(dims) }, () => random.normal());
    const weighted = b.op("Mul", [output, b.initializer("weights", float32(dims, weights))]);
    return b.op("ReduceSum", [weighted], { keepdims: 0 });
  });
  const [first, ...others] = terms;
  if (first === undefined) throw new Error("the graph under test gives nothing");
  return { outputs, loss: others.reduce((sum, term) => b.op("Add", [sum, term]), first) };
}

function namesOf<K extends string>(inputs: Readonly<Record<K, CheckedInput>>): Readonly<Record<K, string>> {
  // An input's name in the graph is its key.
  return Object.fromEntries(Object.keys(inputs).map((name) => [name, name])) as Record<K, string>;
}

/** (loss(x + h) − loss(x − h)) / 2h for every element of one input. */
function centralDifferences(
  graph: Graph,
  point: ReadonlyMap<string, RefTensor>,
  name: string,
  loss: string,
  stopAt: ReadonlySet<string>,
): RefTensor {
  const { dims, data } = required(point, name);
  const fixed = stopAt.size === 0 ? new Map() : evaluate(graph, point);
  const kept = { ...graph, nodes: graph.nodes.filter((node) => !node.outputs.some((output) => stopAt.has(output))) };
  const lossAt = (i: number, value: number): number => {
    const feeds = new Map([...point, [name, { dims, data: data.with(i, value) }] as const]);
    for (const stopped of stopAt) feeds.set(stopped, required(fixed, stopped));
    return required(evaluate(kept, feeds), loss).data[0] ?? Number.NaN;
  };
  return { dims, data: data.map((x, i) => (lossAt(i, x + STEP) - lossAt(i, x - STEP)) / (2 * STEP)) };
}

function compare(what: string, found: Tensor | undefined, expected: RefTensor, tolerance: number): void {
  if (found === undefined) throw new Error(`${what} did not come out`);
  if (!sameDims(found.dims, expected.dims)) {
    throw new Error(`${what} has dimensions [${found.dims}]; expected [${expected.dims}]`);
  }
  const scale = expected.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), SMALLEST_SCALE);
  toNumbers(found).forEach((value, i) => {
    const wanted = expected.data[i] ?? Number.NaN;
    // Written so that a NaN on either side fails.
    if (!(Math.abs(value - wanted) <= tolerance * scale)) {
      throw new Error(
        `${what} is ${value} at element ${i} of [${found.dims}]; expected ${wanted} ± ${tolerance * scale}`,
      );
    }
  });
}

function required(values: ReadonlyMap<string, RefTensor>, name: string): RefTensor {
  const value = values.get(name);
  if (value === undefined) throw new Error(`no value "${name}"`);
  return value;
}

/** A builder's graph as it is now; `build` gives a view that grows. */
function snapshot(graph: Graph): Graph {
  return {
    ...graph,
    nodes: [...graph.nodes],
    initializers: new Map(graph.initializers),
    opsets: new Map(graph.opsets),
  };
}
