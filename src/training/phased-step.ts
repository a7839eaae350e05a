/**
 * @file The step of a training whose weights do not all train to the end: compiled again where some of them cease to,
 * so that no gradient is computed for what stays.
 */

import type { FloatTensor } from "../core/tensor.js";
import type { StepPlan, StepState, TrainingStep } from "./step-plan.js";

export interface PhasedStep {
  /** The step of an epoch, counted from 1: the same as before, or another one that goes on from where that was. */
  enter(epoch: number): Promise<TrainingStep>;
  /** Copies of everything that training has changed, in earlier phases too. */
  weights(): Promise<Map<string, FloatTensor>>;
  /** As a `TrainingStep` does; what no longer trains is passed over. */
  replace(weights: ReadonlyMap<string, FloatTensor>): Promise<void>;
  state(): Promise<StepState>;
  /** Goes on from the state that another process left after an epoch; before the first `enter`. */
  resume(state: StepState): void;
  release(): Promise<void>;
}

/**
 * @param plan of the first epoch, were nothing to stay.
 * @param stays after how many epochs weights and running statistics stay as they are; others never do.
 * @param compile compiles a step of a plan.
 */
export function phasedStep(
  plan: StepPlan,
  stays: ReadonlyMap<string, number>,
  compile: (plan: StepPlan) => Promise<TrainingStep>,
): PhasedStep {
  let current: { readonly step: TrainingStep; readonly staying: ReadonlySet<string> } | undefined;
  let resumed: StepState | undefined;
  /** What trained in an earlier phase. */
  let settled: ReadonlyMap<string, FloatTensor> = new Map();

  const stayingIn = (epoch: number): ReadonlySet<string> =>
    new Set([...stays].flatMap(([name, after]) => (after < epoch ? [name] : [])));
  const open = (): TrainingStep => {
    if (current === undefined) throw new Error("asked for a step before the first epoch");
    return current.step;
  };
  const state = async (): Promise<StepState> => {
    const own = await open().state();
    return { ...own, weights: new Map([...settled, ...own.weights]) };
  };
  return {
    async enter(epoch) {
      const staying = stayingIn(epoch);
      if (current?.staying.size === staying.size) return current.step;
      const before = current === undefined ? resumed : await state();
      await current?.step.release();
      settled = new Map([...(before?.weights ?? [])].filter(([name]) => staying.has(name)));
      const step = await compile({
        ...plan,
        // What stays, stays as it was left, and not as it was given.
        graph: { ...plan.graph, initializers: new Map([...plan.graph.initializers, ...settled]) },
        trainable: plan.trainable.filter((name) => !staying.has(name)),
        frozen: new Set([...(plan.frozen ?? []), ...staying]),
      });
      current = { step, staying };
      if (before !== undefined) await step.restore(before);
      return step;
    },
    weights: async () => new Map([...settled, ...(await open().weights())]),
    replace: (weights) => open().replace(weights),
    state,
    resume(given) {
      resumed = given;
    },
    release: async () => current?.step.release(),
  };
}
