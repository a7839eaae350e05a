/**
 * @file A step as one ONNX graph and one `session.run`: forward, objective, backward and update.
 *
 * Weights and optimiser state go in and come out; they are the state of the session that runs it (`runtime/state.ts`),
 * and stay on the device between steps where that can be. How they lie in that state is an arrangement's business.
 */

import { float32 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import type { RuntimeOptions } from "../../runtime/options.js";
import { createStatefulSession, type StatefulSession } from "../../runtime/state.js";
import type { RunningStatistic } from "../batch-norm.js";
import { LOSS } from "../gradient.js";
import { type GroupGradient, gradientChain } from "../gradient-chain.js";
import { appendObjective, lowered, type ObjectiveInputs, objectiveFeeds, stepInputs } from "../objective-gradients.js";
import type { StepPlan, StepState, StepStrategy, TrainingStep } from "../step-plan.js";
import {
  appendUpdates,
  type Changed,
  changedFrom,
  withChanges,
  optimizerFeeds,
  stateOf,
  weightsOf,
} from "../update.js";
import type { WeightGroup } from "../weight-groups.js";

/** How weights and running statistics lie in the state of a step. */
export interface Arrangement {
  /** Appends what becomes of running statistics. */
  statistics(b: GraphBuilder, plan: StepPlan, statistics: readonly RunningStatistic[]): readonly Changed[];
  /** The weights in groups. @param gradients by weight; those that the objective does not depend on have none. */
  groups(b: GraphBuilder, plan: StepPlan, gradients: ReadonlyMap<string, string>): readonly GroupGradient[];
  /** The graph, which has weights as initialisers and statistics as the model learns them, as it is run. */
  arranged(graph: Graph, groups: readonly WeightGroup[]): Graph;
}

export interface DerivedStep {
  /** With the primitives of domain "wildmark". */
  readonly graph: Graph;
  readonly changed: readonly Changed[];
  /** Name of the input that wants the learning rate, where the objective looks at it. */
  readonly learningRate: string | undefined;
}

/** Forward graph → objective → gradients → updates; weights and state become inputs and outputs. */
export async function deriveTrainingGraph(
  plan: StepPlan,
  inputs: ObjectiveInputs,
  options: RuntimeOptions,
  arrangement: Arrangement,
): Promise<DerivedStep> {
  const { b, loss, statistics, gradients, learningRate } = await appendObjective(plan, plan.trainable, inputs, options);
  const groups = arrangement.groups(b, plan, gradients);
  const running = arrangement.statistics(b, plan, statistics);
  const changed = [...running, ...appendUpdates(b, plan, gradientChain(plan), groups)];
  const named = b.op("Identity", [loss], {}, { name: LOSS });
  const built = arrangement.arranged(
    b.build(),
    groups.map(({ group }) => group),
  );
  return { graph: withChanges(built, changed, [named]), changed, learningRate };
}

/** Derives, lowers and loads a step of this arrangement. */
export const compileInOneGraph =
  (arrangement: Arrangement): StepStrategy["compile"] =>
  async (plan, options, watch) => {
    const inputs = stepInputs(plan);
    const derived = await deriveTrainingGraph(plan, inputs, options, arrangement);
    const session = await createStatefulSession(await lowered(derived.graph, options, watch), derived.changed, options);
    return trainingStep(plan, session, derived, inputs);
  };

/** The step of a session of a derived graph, lowered and loaded. */
export function trainingStep(
  plan: StepPlan,
  session: StatefulSession,
  derived: DerivedStep,
  inputs: ObjectiveInputs,
): TrainingStep {
  const loss = float32([], new Float32Array(1));
  const { feeds: addedFeeds } = gradientChain(plan);
  const { learningRate: rateOfObjective } = derived;
  // Not the initial values: they need not stay in memory for good.
  const changed = derived.changed.map(({ input, group, slot }) => ({ input, group, slot }));
  let steps = 0;
  const state = async (): Promise<StepState> => stateOf(plan, await session.state(), changed, steps);
  const replace = async (given: Omit<StepState, "steps">): Promise<void> => {
    const inVectors = changed.some(({ group }) => group.pieces.length > 1);
    session.replace(changedFrom(changed, given, inVectors ? await state() : given));
  };
  return {
    images: inputs.images.data,
    targets: inputs.targets.data,
    async run(learningRate, added = new Map()) {
      steps += 1;
      const feeds = new Map([
        ...objectiveFeeds(plan, inputs),
        ...optimizerFeeds(plan, learningRate, steps),
        ...addedFeeds(added),
      ]);
      if (rateOfObjective !== undefined) feeds.set(rateOfObjective, float32([], [learningRate]));
      await session.run(feeds, new Map([[LOSS, loss]]));
      return loss.data[0] ?? Number.NaN;
    },
    weights: async () => weightsOf(plan, await session.state(), changed),
    replace: (weights) => replace({ weights, slots: new Map() }),
    state,
    async restore(given) {
      await replace(given);
      steps = given.steps;
    },
    release: () => session.release(),
  };
}
