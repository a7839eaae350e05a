/** @file Tuning the attacker's model on the attacker's images: what every method built on gradient descent does. */

import { imageFeed } from "../data/feed.js";
import type { View } from "../data/views.js";
import { type TrainedEpoch, trainEpochs } from "../training/epochs.js";
import type { Objective } from "../training/objective.js";
import { type SgdOptions, sgdPlan, sgdShape } from "../training/options.js";
import type { Attack } from "./method.js";

/** SGD options with the defaults that removal methods share: batches of 64, as in METHODS' reference run. */
export function tuningShape(defaults: {
  readonly epochs: number;
  readonly learningRate: number;
  readonly schedule: string;
}) {
  return sgdShape({ batch: 64, ...defaults });
}

export interface Tuning {
  readonly objective: Objective;
  /** One function for each view that the objective looks at. */
  readonly views: readonly View[];
  readonly train?: "all" | "last-layer";
  /** Another feature tensor than the default. */
  readonly features?: string;
}

export function tune(attack: Attack, options: SgdOptions, tuning: Tuning): AsyncIterable<TrainedEpoch> {
  const { objective, views, ...more } = tuning;
  const feed = imageFeed(attack.subset, { batch: options.batch, views, random: attack.random });
  return trainEpochs(attack.model, sgdPlan(options, objective, more), feed, attack);
}
