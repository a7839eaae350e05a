/**
 * @file What a training step is told, what it can do, and what a way of computing it is: types alone, which the
 * strategies and whoever plans a step have in common.
 */

import type { FloatTensor } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { RuntimeOptions } from "../runtime/options.js";
import type { AutotuningWatch } from "../runtime/autotuning/autotune.js";
import type { ObjectivePlan } from "./objective-gradients.js";
import type { Optimizer } from "./optimizer.js";

export interface StepPlan extends ObjectivePlan {
  readonly optimizer: Optimizer;
  /** How weights move that do not move by `optimizer` at the step's rate, by name: equal ones are one object. */
  readonly treatments?: ReadonlyMap<string, Treatment>;
  /** Names of the initialisers that change. */
  readonly trainable: readonly string[];
  /**
   * Longest gradient, over all weights together (Pascanu et al., ICML 2013): longer ones are shortened. Absent: any.
   */
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

/** How some of the weights move. */
export interface Treatment {
  readonly optimizer: Optimizer;
  /** Their learning rate, as a multiple of the step's. */
  readonly rate: number;
}

/** All that a step leaves to the next one. */
export interface StepState {
  /** How many there were. */
  readonly steps: number;
  /** Weights and running statistics, by initialiser. */
  readonly weights: ReadonlyMap<string, FloatTensor>;
  /** What the optimiser remembers of each weight: by what it is (`optimizerSlots`), then by weight. */
  readonly slots: ReadonlyMap<string, ReadonlyMap<string, FloatTensor>>;
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
  /** Copies of all that the next step stands on. */
  state(): Promise<StepState>;
  /** Goes on from there; copied. What this step does not change is passed over. */
  restore(state: StepState): Promise<void>;
  release(): Promise<void>;
}

/** One way of computing a step. All give the same up to rounding; which is quickest depends on network and device. */
export interface StepStrategy {
  /** Whether a step of this plan can be computed so there, and gains by it. */
  suits(plan: StepPlan, options: RuntimeOptions): boolean;
  /** @throws WildmarkError as `compileStep` does. */
  compile(plan: StepPlan, options: RuntimeOptions, watch: AutotuningWatch): Promise<TrainingStep>;
}
