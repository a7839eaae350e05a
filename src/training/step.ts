/**
 * @file A compiled training step: forward, objective, backward and update as one ONNX graph and one `session.run`.
 *
 * Weights and optimiser state go in and come out; they are the state of the session that runs it (`runtime/state.ts`), and
 * stay on the device between steps where that can be. Small networks are split over threads instead (`split-step.ts`).
 */

import { type FloatTensor, float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import type { RuntimeOptions } from "../runtime/options.js";
import { createStatefulSession, type StatefulSession } from "../runtime/state.js";
import type { TuningWatch } from "../runtime/tuning/tune.js";
import type { RunningStatistic } from "./batch-norm.js";
import {
  appendObjective,
  lowered,
  type ObjectiveInputs,
  type ObjectivePlan,
  objectiveFeeds,
  stepInputs,
} from "./objective-gradients.js";
import type { Optimizer } from "./optimizer.js";
import { appendStatistics, statisticsOfBatch } from "./running-statistics.js";
import { compileSplitStep, partsOf } from "./split-step.js";
import {
  appendUpdates,
  type Carried,
  carrying,
  floatInitializer,
  updateFeeds,
  weightsOf,
  zeroGradients,
} from "./update.js";
import { alone, readingVectors, vectorOf, type WeightGroup, weightGroups } from "./weight-groups.js";

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
  replace(weights: ReadonlyMap<string, FloatTensor>): Promise<void>;
  release(): Promise<void>;
}

const LOSS = "wildmark/loss";

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
  const parts = partsOf(plan, options);
  if (parts > 1) return compileSplitStep(plan, parts, options, watch);
  const inputs = stepInputs(plan);
  const { graph, carried, learningRate } = await deriveTrainingGraph(plan, inputs, options);
  const session = await createStatefulSession(await lowered(graph, options, watch), carried, options);
  // Not the initial values: they need not stay in memory for good.
  const kept = carried.map(({ weights }) => ({ weights }));
  return trainingStep(plan, session, kept, inputs, learningRate);
}

/**
 * Forward graph → objective → gradients → updates; weights and state become inputs and outputs.
 *
 * @param longest most elements of a vector of weights, for tests of several; default: `weightGroups`'s.
 * @returns the graph with the primitives of domain "wildmark", what it carries, and the input that wants the learning rate.
 */
export async function deriveTrainingGraph(
  plan: StepPlan,
  inputs: ObjectiveInputs,
  options: RuntimeOptions,
  longest?: number,
): Promise<{ graph: Graph; carried: readonly Carried[]; learningRate: string | undefined }> {
  const { b, loss, statistics, gradients, learningRate } = await appendObjective(plan, plan.trainable, inputs, options);
  const onCpu = (options.device ?? "cpu") === "cpu";
  const groups = onCpu ? plan.trainable.map((name) => aloneIn(plan, name)) : groupsOf(plan, gradients, longest);
  const running = onCpu ? statisticsAlone(plan, statistics) : appendStatistics(b, plan, statistics);
  const carried = [...running, ...appendUpdates(b, plan, groups, gradients)];
  const named = b.op("Identity", [loss], {}, { name: LOSS });
  const built = onCpu ? b.build() : statisticsOfBatch(readingVectors(b.build(), groups));
  return { graph: carrying(built, carried, [named]), carried, learningRate };
}

/**
 * For a GPU, which takes as long for the update of a bias as for that of all weights. On a CPU each weight is alone: where a
 * network is large, weights gain nothing by going together, and would be there twice.
 */
function groupsOf(
  plan: StepPlan,
  gradients: ReadonlyMap<string, string>,
  longest: number | undefined,
): readonly WeightGroup[] {
  const moving = plan.trainable.filter((name) => plan.joinsGradients === true || gradients.has(name));
  return weightGroups(plan, new Map(moving.map((name) => [name, floatInitializer(plan.graph, name)])), longest);
}

const statisticsAlone = (plan: StepPlan, statistics: readonly RunningStatistic[]): readonly Carried[] =>
  statistics.map(({ initializer, updated }) => ({
    input: initializer,
    output: updated,
    initial: floatInitializer(plan.graph, initializer),
    weights: aloneIn(plan, initializer),
  }));

const aloneIn = ({ graph }: StepPlan, weight: string): WeightGroup => alone(weight, floatInitializer(graph, weight));

/** The step of a graph that `deriveTrainingGraph` gave, lowered and loaded. */
export function trainingStep(
  plan: StepPlan,
  session: StatefulSession,
  carried: readonly Pick<Carried, "weights">[],
  inputs: ObjectiveInputs,
  rateOfObjective: string | undefined,
): TrainingStep {
  const loss = float32([], new Float32Array(1));
  const nothing = zeroGradients(plan);
  const weights = async (): Promise<Map<string, FloatTensor>> => weightsOf(plan, await session.state(), carried);
  let steps = 0;
  return {
    images: inputs.images.data,
    targets: inputs.targets.data,
    async run(learningRate, added) {
      steps += 1;
      const feeds = objectiveFeeds(plan, inputs);
      if (rateOfObjective !== undefined) feeds.set(rateOfObjective, float32([], [learningRate]));
      for (const [name, value] of updateFeeds(plan, learningRate, steps, nothing, added)) feeds.set(name, value);
      await session.run(feeds, new Map([[LOSS, loss]]));
      return loss.data[0] ?? Number.NaN;
    },
    weights,
    async replace(given) {
      const touched = carried
        .flatMap((tensor) => tensor.weights ?? [])
        .filter(({ pieces }) => pieces.some(({ weight }) => given.has(weight)));
      const rest = touched.some(({ pieces }) => pieces.length > 1) ? await weights() : [];
      const changed = new Map([...rest, ...given]);
      session.replace(new Map(touched.map((group) => [group.name, vectorOf(group, changed)])));
    },
    release: () => session.release(),
  };
}
