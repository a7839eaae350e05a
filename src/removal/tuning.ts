/** @file Tuning the attacker's model on the attacker's images: what every method built on gradient descent does. */

import { imageFeed } from "../data/feed.js";
import type { View } from "../data/views.js";
import { type TrainedEpoch, type TrainingPlan, trainEpochs } from "../training/epochs.js";
import type { Objective } from "../training/objective.js";
import { type SgdOptions, sgdPlan, sgdShape } from "../training/options.js";
import type { Projection } from "../training/step.js";
import type { Attack } from "./method.js";

/**
 * How far one step may move a weight, at a rate of 1: a tenth of its length. Models come with inputs and scores of any
 * scale; without a bound a rate that suits one wrecks another (docs/methods.md).
 */
export const CLIP_RATIO = 0.1;

/**
 * The schedule that removal methods share, so that they differ in what they are and not in how long or how fast they
 * tune: our own choice, made on MNIST with seed 0 and fixed since (docs/methods.md).
 */
export const tuningShape = sgdShape({
  epochs: 30,
  batch: 64,
  learningRate: 0.07,
  schedule: "one-cycle",
  weightDecay: 1e-3,
  clipRatio: CLIP_RATIO,
});

export interface Tuning {
  readonly objective: Objective;
  /** One function for each view that the objective looks at. */
  readonly views: readonly View[];
  readonly train?: "all" | "last-layer";
  /** Another feature tensor than the default. */
  readonly features?: string;
  readonly rewrite?: NonNullable<TrainingPlan["rewrite"]>;
  readonly project?: Projection;
}

export function tune(attack: Attack, options: SgdOptions, tuning: Tuning): AsyncIterable<TrainedEpoch> {
  const { objective, views, ...more } = tuning;
  const feed = imageFeed(attack.subset, { batch: options.batch, views, random: attack.random });
  return trainEpochs(attack.model, sgdPlan(options, objective, more), feed, attack);
}
