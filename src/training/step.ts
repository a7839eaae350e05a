/**
 * @file A compiled training step: forward, objective, backward and update as one ONNX graph and one `session.run`.
 *
 * Weights and optimiser state go in and come out; they are the state of the session that runs it (`runtime/state.ts`), and
 * stay on the device between steps where that can be.
 */

import { WildmarkError } from "../core/errors.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Dim, Graph } from "../onnx/graph.js";
import type { RuntimeOptions } from "../runtime/options.js";
import { createStatefulSession, type StatefulSession, type StateTensor } from "../runtime/state.js";
import type { TuningWatch } from "../runtime/tuning/tune.js";
import {
  appendObjective,
  lowered,
  type ObjectiveInputs,
  type ObjectivePlan,
  objectiveFeeds,
  stepInputs,
} from "./objective-gradients.js";
import { appendUpdate, type Optimizer, optimizerScalars, optimizerSlots } from "./optimizer.js";

export interface StepPlan extends ObjectivePlan {
  readonly optimizer: Optimizer;
  /** Names of the initialisers that change. */
  readonly trainable: readonly string[];
  /** Longest gradient, over all weights together (Pascanu et al., ICML 2013): longer ones are shortened. Absent: any. */
  readonly clipNorm?: number;
  /**
   * Longest gradient of each weight, as a multiple of the weight's own length: longer ones are shortened. Absent: any.
   * Adaptive gradient clipping (Brock, De, Smith, Simonyan, ICML 2021, section 4), by tensor instead of by unit.
   */
  readonly clipRatio?: number;
  /** Appends what becomes of each weight after its update; absent: it stays where the optimiser put it. */
  readonly project?: Projection;
  /** Whether `run` takes gradients from elsewhere, which join those of the objective before any is shortened. */
  readonly joinsGradients?: boolean;
}

/**
 * A condition on weights that each step restores: a norm, a sphere around the start, a range.
 *
 * @param weight.name the initialiser
 * @param weight.before the value that holds it before the step
 * @param weight.updated the value that the optimiser made
 * @returns the value to keep: `updated` where there is no condition.
 */
export type Projection = (
  b: GraphBuilder,
  weight: { readonly name: string; readonly before: string; readonly updated: string },
) => string;

export interface TrainingStep {
  /** The model's input for one step, [views · batch, …]: fill it before each `run`. */
  readonly images: Float32Array;
  /** Target probabilities, [batch, classes]: fill it before each `run`. */
  readonly targets: Float32Array;
  /**
   * One update at this learning rate; resolves to the objective before the update.
   *
   * @param added gradients by weight, in the weights' dimensions, for a plan with `joinsGradients`; those that are not
   *   there are zero.
   */
  run(learningRate: number, added?: ReadonlyMap<string, FloatTensor>): Promise<number>;
  /** Copies of everything that training changed: weights and running statistics, by initialiser. */
  weights(): Promise<Map<string, FloatTensor>>;
  /** Other values for some of them, in their own dimensions; copied. What training does not change is passed over. */
  replace(weights: ReadonlyMap<string, FloatTensor>): void;
  release(): Promise<void>;
}

const LOSS = "wildmark/loss";
const scalarName = (i: number): string => `wildmark/scalar_${i}`;
const addedName = (weight: string): string => `wildmark/added/${weight}`;

/** What a step changes. */
interface Carried extends StateTensor {
  /** The initialiser of the model that this is; undefined for optimiser state. */
  readonly initializer: string | undefined;
}

/**
 * Derives the training graph of `plan` and loads it.
 *
 * @param watch is told where lowerings are measured first, which may take a while.
 * @throws WildmarkError `unsupported-operator` where a gradient rule is missing, `runtime` where ONNX Runtime refuses.
 */
export async function compileStep(
  plan: StepPlan,
  options: RuntimeOptions = {},
  watch: TuningWatch = {},
): Promise<TrainingStep> {
  const inputs = stepInputs(plan);
  const { graph, carried, learningRate } = await deriveTrainingGraph(plan, inputs, options);
  const session = await createStatefulSession(await lowered(graph, options, watch), carried, options);
  const initializers = carried.map(({ initializer }) => initializer);
  return trainingStep(plan, session, initializers, inputs, learningRate);
}

/** Forward graph → objective → gradients → updates; weights and state become inputs and outputs. */
async function deriveTrainingGraph(
  plan: StepPlan,
  inputs: ObjectiveInputs,
  options: RuntimeOptions,
): Promise<{ graph: Graph; carried: readonly Carried[]; learningRate: string | undefined }> {
  const { optimizer } = plan;
  const appended = await appendObjective(plan, plan.trainable, inputs, options);
  const { b, loss, statistics, learningRate } = appended;
  const unclipped = plan.joinsGradients === true ? appendAdded(b, plan, appended.gradients) : appended.gradients;
  const elementsOf = (weight: string): number => floatInitializer(plan.graph, weight).data.length;
  const bounded =
    plan.clipRatio === undefined ? unclipped : appendRelativeClipping(b, unclipped, plan.clipRatio, elementsOf);
  const gradients = plan.clipNorm === undefined ? bounded : appendClipping(b, bounded, plan.clipNorm);
  if (gradients.size === 0) {
    throw new WildmarkError("bad-model", "The objective depends on none of the weights chosen for training.", {
      hint: "Choose other weights to train, or another feature tensor.",
    });
  }

  const scalars = optimizerScalars(optimizer, 0, 1).map((_, i) => b.input(scalarName(i), "float32", []));
  const slotNames = optimizerSlots(optimizer);
  const carried: Carried[] = statistics.map(({ initializer, updated }) => ({
    input: initializer,
    output: updated,
    initial: floatInitializer(plan.graph, initializer),
    initializer,
  }));
  for (const weight of plan.trainable) {
    const gradient = gradients.get(weight);
    if (gradient === undefined) continue;
    const initial = floatInitializer(plan.graph, weight);
    const slots = slotNames.map((slot) => b.input(`wildmark/${slot}/${weight}`, "float32", initial.dims));
    const updated = appendUpdate(b, optimizer, { weight, rank: initial.dims.length, gradient, slots, scalars });
    const kept = plan.project?.(b, { name: weight, before: weight, updated: updated.weight }) ?? updated.weight;
    carried.push({ input: weight, output: kept, initial, initializer: weight });
    slots.forEach((slot, i) => {
      const zeros = float32(initial.dims, new Float32Array(initial.data.length));
      carried.push({ input: slot, output: updated.slots[i] ?? "", initial: zeros, initializer: undefined });
    });
  }

  const built = b.build();
  const moved = new Map(carried.map((value) => [value.input, value.initial.dims]));
  const initializers = new Map([...built.initializers].filter(([name]) => !moved.has(name)));
  const weightInputs = carried
    .filter((value) => value.initializer !== undefined)
    .map((value) => ({ name: value.input, type: "float32" as const, dims: value.initial.dims as readonly Dim[] }));
  const named = b.op("Identity", [loss], {}, { name: LOSS });
  const outputs = [named, ...carried.map((value) => value.output)].map((name) => ({
    name,
    type: "float32" as const,
    dims: undefined,
  }));
  const derived: Graph = { ...b.build(), inputs: [...built.inputs, ...weightInputs], initializers, outputs };
  return { graph: derived, carried, learningRate };
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

function trainingStep(
  plan: StepPlan,
  session: StatefulSession,
  initializers: readonly Carried["initializer"][],
  inputs: ObjectiveInputs,
  rateOfObjective: string | undefined,
): TrainingStep {
  const loss = float32([], new Float32Array(1));
  const nothing = new Map(
    plan.joinsGradients === true
      ? plan.trainable.map((weight) => {
          const { dims, data } = floatInitializer(plan.graph, weight);
          return [weight, float32(dims, new Float32Array(data.length))] as const;
        })
      : [],
  );
  let steps = 0;

  return {
    images: inputs.images.data,
    targets: inputs.targets.data,
    async run(learningRate, added) {
      steps += 1;
      const feeds = objectiveFeeds(plan, inputs);
      if (rateOfObjective !== undefined) feeds.set(rateOfObjective, float32([], [learningRate]));
      optimizerScalars(plan.optimizer, learningRate, steps).forEach((value, i) => {
        feeds.set(scalarName(i), float32([], [value]));
      });
      for (const [weight, zeros] of nothing) feeds.set(addedName(weight), added?.get(weight) ?? zeros);
      await session.run(feeds, new Map([[LOSS, loss]]));
      return loss.data[0] ?? Number.NaN;
    },
    async weights() {
      const weights = new Map<string, FloatTensor>();
      (await session.state()).forEach((tensor, i) => {
        const initializer = initializers[i];
        if (initializer !== undefined) weights.set(initializer, tensor);
      });
      return weights;
    },
    // A weight is read under its own name.
    replace: (weights) => session.replace(weights),
    release: () => session.release(),
  };
}

function floatInitializer(graph: Graph, name: string): FloatTensor {
  const tensor = graph.initializers.get(name);
  if (tensor?.type !== "float32") {
    const found = tensor === undefined ? "is not an initialiser of the model" : `holds ${tensor.type}`;
    throw new WildmarkError("bad-model", `"${name}" ${found}; only float32 initialisers can be trained.`);
  }
  return tensor;
}
