/**
 * @file Where a training leaves how far it is, so that another process goes on from there and ends with the same bits.
 *
 * A training is a pure function of its plan, its feed and what its last step left; feeds are pure functions of epoch and
 * step. So what a step carries, the average and what the plan itself remembers are all that has to be kept.
 */

import type { FloatTensor } from "../core/tensor.js";
import type { StepState } from "./step-plan.js";

/** An epoch that has been trained, without its model. */
export interface PastEpoch {
  /** Counted from 1. */
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly seconds: number;
}

/** A training after an epoch. */
export interface SavedTraining {
  /** All so far, the first one first. */
  readonly epochs: readonly PastEpoch[];
  readonly state: StepState;
  /** The average of the weights, where there is one. */
  readonly average: ReadonlyMap<string, FloatTensor> | undefined;
  /** What the plan remembers (`TrainingPlan.memory`). */
  readonly memory: readonly number[];
}

/** The place of one training. */
export interface TrainingPlace {
  /** How far another process came with it. */
  readonly saved: SavedTraining | undefined;
  /**
   * Is told after each epoch, once whoever asked for it is done with it.
   *
   * @param saved copies what is to be kept.
   * @param finished whether it was the last epoch.
   */
  keep(saved: () => Promise<SavedTraining>, finished: boolean): Promise<void>;
}

/** The places of all trainings of a run, which come in the same order every time. */
export interface Checkpoint {
  /** That of the training that begins now. */
  next(): TrainingPlace;
}

/** What a plan remembers from step to step, besides weights: for losses that adapt. Numbers are kept bit for bit. */
export interface PlanMemory {
  read(): readonly number[];
  write(values: readonly number[]): void;
}
