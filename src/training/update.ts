/**
 * @file The second half of a step: gradients, transformed, move weights and optimiser state.
 */

import { WildmarkError } from "../core/errors.js";
import { at } from "../core/lists.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { nodesBefore } from "../onnx/traverse.js";
import type { StateTensor } from "../runtime/state.js";
import type { GradientTransformation, GroupGradient } from "./gradient-chain.js";
import { floatInitializer } from "./objective-gradients.js";
import { appendUpdate, optimizerScalars, optimizerSlots } from "./optimizer.js";
import type { StepPlan, StepState } from "./step-plan.js";
import { treatmentOf, treatmentsOf } from "./treatments.js";
import { vectorOf, type WeightGroup, weightsIn } from "./weight-groups.js";

/** What a step changes. */
export interface Changed extends StateTensor {
  /** The initialisers of the model that this is, or is about. */
  readonly group: WeightGroup;
  /** What the optimiser remembers of them (`optimizerSlots`); undefined where it is the weights or statistics. */
  readonly slot: string | undefined;
}

/** What is known of a tensor of a step's state while it runs. */
export type ChangedName = Pick<Changed, "input" | "group" | "slot">;

/**
 * Appends what becomes of the weights. They are values of their groups' names, and need not be there yet.
 *
 * @param transformation what becomes of the gradients first.
 * @returns the weights that change, and the optimiser's state.
 * @throws WildmarkError `bad-model` where there is no gradient at all.
 */
export function appendUpdates(
  b: GraphBuilder,
  plan: StepPlan,
  transformation: GradientTransformation,
  groups: readonly GroupGradient[],
): readonly Changed[] {
  const moving = transformation.append(b, groups).flatMap(({ group, gradient }) => {
    return gradient === undefined ? [] : [{ group, gradient: gradient.vector() }];
  });
  if (moving.length === 0) {
    throw new WildmarkError("bad-model", "The objective depends on none of the weights chosen for training.", {
      hint: "Choose other weights to train, or another feature tensor.",
    });
  }
  const treatments = treatmentsOf(plan);
  const given = treatments.map(({ optimizer }, place) =>
    optimizerScalars(optimizer, 0, 1).map((_, i) => b.input(scalarName(place, i), "float32", [])),
  );
  const before = b.build();
  return moving.flatMap(({ group, gradient }): readonly Changed[] => {
    const { name: weight, dims, kernels: kernel } = group;
    const place = treatmentOf(plan, at(group.pieces, 0).weight);
    const { optimizer } = at(treatments, place);
    const initial = initialOf(plan, group);
    const late = initial.data.length < LARGE ? [] : readWithout(before, weight, gradient);
    const scalars = at(given, place).map((scalar) => waiting(b, scalar, late));
    const slotNames = optimizerSlots(optimizer);
    const slots = slotNames.map((slot) => b.input(`wildmark/${slot}/${weight}`, "float32", dims));
    const updated = appendUpdate(b, optimizer, { weight, dims, kernel, gradient, slots, scalars });
    const kept = plan.project?.(b, { name: weight, before: weight, updated: updated.weight }) ?? updated.weight;
    const zeros = (): FloatTensor => float32(dims, new Float32Array(initial.data.length));
    return [
      { input: weight, output: kept, initial, group, slot: undefined },
      ...slots.map((slot, i) => ({
        ...{ input: slot, output: updated.slots[i] ?? "", initial: zeros() },
        ...{ group, slot: at(slotNames, i) },
      })),
    ];
  });
}

/**
 * The graph in which what a step changes is read and written.
 *
 * @param more outputs beside it.
 */
export function withChanges(built: Graph, changed: readonly Changed[], more: readonly string[]): Graph {
  const inputs = new Set(built.inputs.map(({ name }) => name));
  const moved = changed.filter(({ input }) => !inputs.has(input));
  const float = (name: string) => ({ name, type: "float32" as const, dims: undefined });
  return {
    ...built,
    inputs: [...built.inputs, ...moved.map(({ input, initial }) => ({ ...float(input), dims: initial.dims }))],
    initializers: new Map([...built.initializers].filter(([name]) => !moved.some(({ input }) => input === name))),
    outputs: [...more, ...changed.map(({ output }) => output)].map(float),
  };
}

/** What the optimisers are fed in the step of this number, counted from 1. */
export function optimizerFeeds(plan: StepPlan, learningRate: number, step: number): ReadonlyMap<string, FloatTensor> {
  return new Map(
    treatmentsOf(plan).flatMap(({ optimizer, rate }, place) =>
      optimizerScalars(optimizer, learningRate * rate, step).map(
        (value, i) => [scalarName(place, i), float32([], [value])] as const,
      ),
    ),
  );
}

/**
 * What the model has of what a step carries, by initialiser: statistics, then weights in the plan's order; views of it.
 */
export function weightsOf(
  plan: StepPlan,
  tensors: readonly FloatTensor[],
  changed: readonly ChangedName[],
): Map<string, FloatTensor> {
  return carriedAs(plan, tensors, changed, undefined);
}

/** All that a step carries, by what it is called outside; views of it. */
export function stateOf(
  plan: StepPlan,
  tensors: readonly FloatTensor[],
  changed: readonly ChangedName[],
  steps: number,
): StepState {
  const slots = new Set(changed.flatMap(({ slot }) => slot ?? []));
  return {
    steps,
    weights: weightsOf(plan, tensors, changed),
    slots: new Map([...slots].map((slot) => [slot, carriedAs(plan, tensors, changed, slot)])),
  };
}

/**
 * Some of what a step carries, as `StatefulSession.replace` takes it.
 *
 * @param given other values, which need not be all.
 * @param now what there is, for vectors of which only a part is given.
 */
export function changedFrom(
  changed: readonly ChangedName[],
  given: Omit<StepState, "steps">,
  now: Omit<StepState, "steps">,
): ReadonlyMap<string, FloatTensor> {
  const named = (state: Omit<StepState, "steps">, slot: string | undefined) =>
    (slot === undefined ? state.weights : state.slots.get(slot)) ?? new Map<string, FloatTensor>();
  const touched = changed.filter(({ group, slot }) =>
    group.pieces.some(({ weight }) => named(given, slot).has(weight)),
  );
  return new Map(
    touched.map(({ input, group, slot }) => [
      input,
      vectorOf(group, new Map([...named(now, slot), ...named(given, slot)])),
    ]),
  );
}

/** The weights and statistics, or what is remembered of them in a slot. */
function carriedAs(
  { trainable }: StepPlan,
  tensors: readonly FloatTensor[],
  changed: readonly ChangedName[],
  wanted: string | undefined,
): Map<string, FloatTensor> {
  const found = changed.flatMap(({ group, slot }, i) => (slot === wanted ? [...weightsIn(group, at(tensors, i))] : []));
  const places = new Map(trainable.map((name, place) => [name, place]));
  const placeOf = ([name]: readonly [string, FloatTensor]): number => places.get(name) ?? -1;
  return new Map(found.toSorted((one, other) => placeOf(one) - placeOf(other)));
}

/** A weight that is alone need not be copied. */
function initialOf({ graph }: StepPlan, group: WeightGroup): FloatTensor {
  const weights = new Map(group.pieces.map(({ weight }) => [weight, floatInitializer(graph, weight)]));
  return weights.get(group.name) ?? vectorOf(group, weights);
}

const scalarName = (treatment: number, i: number): string => `wildmark/scalar_${treatment}_${i}`;

/** Elements of a weight that is written over where it lies, which takes a few operators more and saves a copy of it. */
const LARGE = 2 ** 18;

/**
 * The values that are computed from `weight` by nodes that its gradient does not need: gradients to its layer's input.
 */
function readWithout(graph: Graph, weight: string, gradient: string): readonly string[] {
  const needed = new Set(nodesBefore(graph, gradient));
  const readers = graph.nodes.filter((node) => node.inputs.includes(weight) && !needed.has(node));
  // There is no arithmetic with truth values, so nothing can wait for them: such a weight is not written over.
  if (readers.some(({ opType }) => COMPARISONS.has(opType))) return [];
  return readers.flatMap(({ outputs }) => outputs.filter((output) => output !== ""));
}

const COMPARISONS = new Set(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]);

/**
 * The same number, but not before `values` are there: an element of each, times 0, is added. (What diverges, does so at
 * once.)
 */
function waiting(b: GraphBuilder, scalar: string, values: readonly string[]): string {
  return values.reduce((sum, value) => {
    const element = b.op("Gather", [b.op("Reshape", [value, b.ints([-1])]), b.ints([0])]);
    return b.op("Add", [sum, b.op("Mul", [element, b.scalar(0)])]);
  }, scalar);
}
