/**
 * @file The second half of a step: gradients are joined, shortened, and move weights and optimiser state.
 */

import { WildmarkError } from "../core/errors.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { nodesBefore } from "../onnx/traverse.js";
import type { StateTensor } from "../runtime/state.js";
import { appendUpdate, optimizerScalars, optimizerSlots } from "./optimizer.js";
import type { StepPlan } from "./step.js";

/** What a step changes. */
export interface Carried extends StateTensor {
  /** The initialiser of the model that this is; undefined for optimiser state. */
  readonly initializer: string | undefined;
}

/**
 * Appends what becomes of the weights. They are values of their own names, and need not be there yet.
 *
 * @param gradients by weight; those without one stay as they are.
 * @returns the weights that change, and the optimiser's state.
 * @throws WildmarkError `bad-model` where there is no gradient at all.
 */
export function appendUpdates(
  b: GraphBuilder,
  plan: StepPlan,
  gradients: ReadonlyMap<string, string>,
): readonly Carried[] {
  const { optimizer } = plan;
  const joined = plan.joinsGradients === true ? appendAdded(b, plan, gradients) : gradients;
  const elementsOf = (weight: string): number => floatInitializer(plan.graph, weight).data.length;
  const bounded = plan.clipRatio === undefined ? joined : appendRelativeClipping(b, joined, plan.clipRatio, elementsOf);
  const clipped = plan.clipNorm === undefined ? bounded : appendClipping(b, bounded, plan.clipNorm);
  if (clipped.size === 0) {
    throw new WildmarkError("bad-model", "The objective depends on none of the weights chosen for training.", {
      hint: "Choose other weights to train, or another feature tensor.",
    });
  }
  const given = optimizerScalars(optimizer, 0, 1).map((_, i) => b.input(scalarName(i), "float32", []));
  const before = b.build();
  const slotNames = optimizerSlots(optimizer);
  const carried: Carried[] = [];
  for (const weight of plan.trainable) {
    const gradient = clipped.get(weight);
    if (gradient === undefined) continue;
    const initial = floatInitializer(plan.graph, weight);
    const late = initial.data.length < LARGE ? [] : readWithout(before, weight, gradient);
    const scalars = given.map((scalar) => waiting(b, scalar, late));
    const slots = slotNames.map((slot) => b.input(`wildmark/${slot}/${weight}`, "float32", initial.dims));
    const updated = appendUpdate(b, optimizer, { weight, rank: initial.dims.length, gradient, slots, scalars });
    const kept = plan.project?.(b, { name: weight, before: weight, updated: updated.weight }) ?? updated.weight;
    carried.push({ input: weight, output: kept, initial, initializer: weight });
    slots.forEach((slot, i) => {
      const zeros = float32(initial.dims, new Float32Array(initial.data.length));
      carried.push({ input: slot, output: updated.slots[i] ?? "", initial: zeros, initializer: undefined });
    });
  }
  return carried;
}

/**
 * The graph in which what a step changes is read and written.
 *
 * @param more outputs beside it.
 */
export function carrying(built: Graph, carried: readonly Carried[], more: readonly string[]): Graph {
  const inputs = new Set(built.inputs.map(({ name }) => name));
  const moved = carried.filter(({ input }) => !inputs.has(input));
  const float = (name: string) => ({ name, type: "float32" as const, dims: undefined });
  return {
    ...built,
    inputs: [...built.inputs, ...moved.map(({ input, initial }) => ({ ...float(input), dims: initial.dims }))],
    initializers: new Map([...built.initializers].filter(([name]) => !moved.some(({ input }) => input === name))),
    outputs: [...more, ...carried.map(({ output }) => output)].map(float),
  };
}

/** Zeros for each weight of a plan with `joinsGradients`, made once; none for others. */
export function zeroGradients({ graph, trainable, joinsGradients }: StepPlan): ReadonlyMap<string, FloatTensor> {
  if (joinsGradients !== true) return new Map();
  return new Map(
    trainable.map((weight) => {
      const { dims, data } = floatInitializer(graph, weight);
      return [weight, float32(dims, new Float32Array(data.length))];
    }),
  );
}

/**
 * What the updates are fed in the step of this number, counted from 1.
 *
 * @param added gradients from elsewhere; for weights without one `nothing`, the plan's `zeroGradients`, stands in.
 */
export function updateFeeds(
  { optimizer }: StepPlan,
  learningRate: number,
  step: number,
  nothing: ReadonlyMap<string, FloatTensor>,
  added?: ReadonlyMap<string, FloatTensor>,
): Map<string, FloatTensor> {
  const feeds = new Map<string, FloatTensor>();
  optimizerScalars(optimizer, learningRate, step).forEach((value, i) => {
    feeds.set(scalarName(i), float32([], [value]));
  });
  for (const [weight, zeros] of nothing) feeds.set(addedName(weight), added?.get(weight) ?? zeros);
  return feeds;
}

/** What the model has of what a step carries, by initialiser. */
export function weightsOf(
  state: readonly FloatTensor[],
  carried: readonly Pick<Carried, "initializer">[],
): Map<string, FloatTensor> {
  const weights = new Map<string, FloatTensor>();
  state.forEach((tensor, i) => {
    const initializer = carried[i]?.initializer;
    if (initializer !== undefined) weights.set(initializer, tensor);
  });
  return weights;
}

const scalarName = (i: number): string => `wildmark/scalar_${i}`;
const addedName = (weight: string): string => `wildmark/added/${weight}`;

/** Elements of a weight that is written over where it lies, which takes a few operators more and saves a copy of it. */
const LARGE = 2 ** 18;

/** The values that are computed from `weight` by nodes that its gradient does not need: gradients to its layer's input. */
function readWithout(graph: Graph, weight: string, gradient: string): readonly string[] {
  const needed = new Set(nodesBefore(graph, gradient));
  const readers = graph.nodes.filter((node) => node.inputs.includes(weight) && !needed.has(node));
  // There is no arithmetic with truth values, so nothing can wait for them: such a weight is not written over.
  if (readers.some(({ opType }) => COMPARISONS.has(opType))) return [];
  return readers.flatMap(({ outputs }) => outputs.filter((output) => output !== ""));
}

const COMPARISONS = new Set(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]);

/** The same number, but not before `values` are there: an element of each, times 0, is added. (What diverges, does so at once.) */
function waiting(b: GraphBuilder, scalar: string, values: readonly string[]): string {
  return values.reduce((sum, value) => {
    const element = b.op("Gather", [b.op("Reshape", [value, b.ints([-1])]), b.ints([0])]);
    return b.op("Add", [sum, b.op("Mul", [element, b.scalar(0)])]);
  }, scalar);
}

/** Each gradient plus the one that is fed for its weight. */
function appendAdded(
  b: GraphBuilder,
  { graph, trainable }: StepPlan,
  gradients: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map(
    trainable.map((weight) => {
      const added = b.input(addedName(weight), "float32", floatInitializer(graph, weight).dims);
      const own = gradients.get(weight);
      return [weight, own === undefined ? added : b.op("Add", [own, added])];
    }),
  );
}

/** Scales all gradients by the same factor where their common norm is above `longest`. */
function appendClipping(
  b: GraphBuilder,
  gradients: ReadonlyMap<string, string>,
  longest: number,
): ReadonlyMap<string, string> {
  const squares = [...new Set(gradients.values())].map((g) => b.op("ReduceSumSquare", [g], { keepdims: 0 }));
  const norm = b.op("Sqrt", [squares.reduce((sum, square) => b.op("Add", [sum, square]))]);
  const factor = b.op("Div", [b.scalar(longest), b.op("Max", [norm, b.scalar(longest)])]);
  return new Map([...gradients].map(([weight, g]) => [weight, b.op("Mul", [g, factor])]));
}

/** A weight that is nearly nothing may still move: its length counts as at least so much for each of its elements. */
const LEAST_ELEMENT = 1e-3;

/** Scales each gradient that is longer than `ratio` times its weight to just that length; others keep every bit. */
function appendRelativeClipping(
  b: GraphBuilder,
  gradients: ReadonlyMap<string, string>,
  ratio: number,
  elements: (weight: string) => number,
): ReadonlyMap<string, string> {
  const lengthOf = (value: string): string => b.op("Sqrt", [b.op("ReduceSumSquare", [value], { keepdims: 0 })]);
  return new Map(
    [...gradients].map(([weight, gradient]) => {
      const least = b.scalar(LEAST_ELEMENT * Math.sqrt(elements(weight)));
      const longest = b.op("Mul", [b.op("Max", [lengthOf(weight), least]), b.scalar(ratio)]);
      const factor = b.op("Div", [longest, b.op("Max", [lengthOf(gradient), longest])]);
      return [weight, b.op("Mul", [gradient, factor])];
    }),
  );
}

/** @throws WildmarkError `bad-model` where there is none of this name, or of another type. */
export function floatInitializer(graph: Graph, name: string): FloatTensor {
  const tensor = graph.initializers.get(name);
  if (tensor?.type !== "float32") {
    const found = tensor === undefined ? "is not an initialiser of the model" : `holds ${tensor.type}`;
    throw new WildmarkError("bad-model", `"${name}" ${found}; only float32 initialisers can be trained.`);
  }
  return tensor;
}
