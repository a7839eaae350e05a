/**
 * @file The second half of a step: gradients are joined, shortened, and move weights and optimiser state.
 */

import { WildmarkError } from "../core/errors.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { nodesBefore } from "../onnx/traverse.js";
import type { StateTensor } from "../runtime/state.js";
import { appendUpdate, optimizerScalars, optimizerSlots } from "./optimizer.js";
import type { StepPlan } from "./step.js";
import { appendPieces, appendVector, vectorOf, type WeightGroup, weightsIn } from "./weight-groups.js";

/** What a step changes. */
export interface Carried extends StateTensor {
  /** The initialisers of the model that this is; undefined for optimiser state. */
  readonly weights: WeightGroup | undefined;
}

/**
 * Appends what becomes of the weights. They are values of their groups' names, and need not be there yet.
 *
 * @param gradients by group, or by weight where the weights are values of the graph too; those without one stay as they are.
 * @returns the weights that change, and the optimiser's state.
 * @throws WildmarkError `bad-model` where there is no gradient at all.
 */
export function appendUpdates(
  b: GraphBuilder,
  plan: StepPlan,
  groups: readonly WeightGroup[],
  gradients: ReadonlyMap<string, string>,
): readonly Carried[] {
  const { optimizer } = plan;
  const joined = plan.joinsGradients === true ? appendAdded(b, groups, gradients) : gradients;
  const bounded =
    plan.clipRatio === undefined
      ? appendVectors(b, groups, joined)
      : appendRelativeClipping(b, groups, joined, plan.clipRatio);
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
  for (const group of groups) {
    const { name: weight, dims, kernels: kernel } = group;
    const gradient = clipped.get(weight);
    if (gradient === undefined) continue;
    const initial = initialOf(plan, group);
    const late = initial.data.length < LARGE ? [] : readWithout(before, weight, gradient);
    const scalars = given.map((scalar) => waiting(b, scalar, late));
    const slots = slotNames.map((slot) => b.input(`wildmark/${slot}/${weight}`, "float32", dims));
    const updated = appendUpdate(b, optimizer, { weight, kernel, gradient, slots, scalars });
    const kept = plan.project?.(b, { name: weight, before: weight, updated: updated.weight }) ?? updated.weight;
    carried.push({ input: weight, output: kept, initial, weights: group });
    slots.forEach((slot, i) => {
      const zeros = float32(dims, new Float32Array(initial.data.length));
      carried.push({ input: slot, output: updated.slots[i] ?? "", initial: zeros, weights: undefined });
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

/** What the model has of what a step carries, by initialiser: statistics, then weights in the plan's order; views of it. */
export function weightsOf(
  { trainable }: StepPlan,
  state: readonly FloatTensor[],
  carried: readonly Pick<Carried, "weights">[],
): Map<string, FloatTensor> {
  const found = state.flatMap((tensor, i) => {
    const group = carried[i]?.weights;
    return group === undefined ? [] : [...weightsIn(group, tensor)];
  });
  const places = new Map(trainable.map((name, place) => [name, place]));
  const placeOf = ([name]: readonly [string, FloatTensor]): number => places.get(name) ?? -1;
  return new Map(found.toSorted((one, other) => placeOf(one) - placeOf(other)));
}

/** A weight that is alone need not be copied. */
function initialOf({ graph }: StepPlan, group: WeightGroup): FloatTensor {
  const weights = new Map(group.pieces.map(({ weight }) => [weight, floatInitializer(graph, weight)]));
  return weights.get(group.name) ?? vectorOf(group, weights);
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

/** Each gradient plus the one that is fed for its weight, which is alone in its group. */
function appendAdded(
  b: GraphBuilder,
  groups: readonly WeightGroup[],
  gradients: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map(
    groups.map(({ name, dims }) => {
      const added = b.input(addedName(name), "float32", dims);
      const own = gradients.get(name);
      return [name, own === undefined ? added : b.op("Add", [own, added])];
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

/** By group, where they are there by weight. */
function appendVectors(
  b: GraphBuilder,
  groups: readonly WeightGroup[],
  gradients: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map(
    groups.flatMap((group) => {
      const vector = gradients.get(group.name);
      if (vector !== undefined) return [[group.name, vector]];
      const pieces = piecesOf(b, group, gradients)?.map(({ gradient }) => gradient);
      return pieces === undefined ? [] : [[group.name, appendVector(b, pieces)]];
    }),
  );
}

/** Weights and their gradients, flat where the group has several; undefined where there are no gradients. */
function piecesOf(
  b: GraphBuilder,
  group: WeightGroup,
  gradients: ReadonlyMap<string, string>,
): readonly { readonly weight: string; readonly gradient: string }[] | undefined {
  const vector = gradients.get(group.name);
  if (vector !== undefined) {
    const weights = appendPieces(b, group, group.name);
    return appendPieces(b, group, vector).map((gradient, i) => ({ weight: weights[i] ?? "", gradient }));
  }
  const flat = (value: string): string => b.op("Reshape", [value, b.ints([-1])]);
  const each = group.pieces.flatMap(({ weight }) => {
    const gradient = gradients.get(weight);
    return gradient === undefined ? [] : [{ weight: flat(weight), gradient: flat(gradient) }];
  });
  return each.length === group.pieces.length ? each : undefined;
}

/** A weight that is nearly nothing may still move: its length counts as at least so much for each of its elements. */
const LEAST_ELEMENT = 1e-3;

/** Scales each weight's gradient that is longer than `ratio` times the weight to just that length; others keep every bit. */
function appendRelativeClipping(
  b: GraphBuilder,
  groups: readonly WeightGroup[],
  gradients: ReadonlyMap<string, string>,
  ratio: number,
): ReadonlyMap<string, string> {
  return new Map(
    groups.flatMap((group) => {
      const pieces = piecesOf(b, group, gradients);
      if (pieces === undefined) return [];
      // One number a weight, as a vector, so that a group has these few operators once.
      const vector = pieces.length > 1;
      const lengths = (values: readonly string[]): string => {
        const squares = values.map((value, i) =>
          sumOfSquares(b, value, elementCount(group.pieces[i]?.dims ?? []), vector),
        );
        return b.op("Sqrt", [appendVector(b, squares)]);
      };
      const least = group.pieces.map(({ dims }) => LEAST_ELEMENT * Math.sqrt(elementCount(dims)));
      const floor = vector ? b.initializer("least", float32([least.length], least)) : b.scalar(least[0] ?? 0);
      const given = b.op("Max", [lengths(pieces.map(({ weight }) => weight)), floor]);
      const longest = b.op("Mul", [given, b.scalar(ratio)]);
      const found = b.op("Max", [lengths(pieces.map(({ gradient }) => gradient)), longest]);
      const factors = b.op("Div", [longest, found]);
      const clipped = pieces.map(({ gradient }, i) =>
        b.op("Mul", [gradient, vector ? b.op("Gather", [factors, b.ints([i])]) : factors]),
      );
      return [[group.name, appendVector(b, clipped)]];
    }),
  );
}

/** Rows of a long vector whose squares a GPU adds up at the same time. */
const ROWS = 256;

/** A number, or a vector of one. */
function sumOfSquares(b: GraphBuilder, value: string, elements: number, vector: boolean): string {
  if (!vector) return b.op("ReduceSumSquare", [value], { keepdims: 0 });
  if (elements < ROWS * ROWS || elements % ROWS !== 0) return b.op("ReduceSumSquare", [value]);
  // All at once is one long sum for a GPU: a millisecond for 2.4 million elements of an H100's.
  const rows = b.op("Reshape", [value, b.ints([ROWS, -1])]);
  return b.op("ReduceSum", [b.op("ReduceSumSquare", [rows, b.ints([1])], { keepdims: 0 })]);
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
