/** @file Tuning the attacker's model on the attacker's images: what every method built on gradient descent does. */

import { performance } from "node:perf_hooks";
import type { LabelledImages } from "../data/dataset.js";
import { imageFeed, joinedFeed } from "../data/feed.js";
import type { View } from "../data/views.js";
import { type TrainedEpoch, type TrainingPlan, trainEpochs } from "../training/epochs.js";
import type { Objective } from "../training/objective.js";
import { type SgdOptions, sgdPlan, sgdShape } from "../training/options.js";
import type { Projection } from "../training/step-plan.js";
import type { Attack } from "./method.js";

/**
 * How far one step may move a weight, at a rate of 1: a tenth of its length. Models come with inputs and scores of any
 * scale; without a bound a rate that suits one wrecks another (docs/methods.md).
 */
export const CLIP_RATIO = 0.1;

/** The same bound on a step where the rate is a published 0.01: rate times ratio is what counts. */
export const CLIP_RATIO_AT_001 = 0.7;

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

/** For methods that train a fresh model, which needs more steps than a trained one: smaller batches. */
export const freshShape = sgdShape({
  epochs: 30,
  batch: 32,
  learningRate: 0.05,
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
  /** More images after those of each batch, as many a step as `perStep` says. */
  readonly beside?: { readonly images: LabelledImages; readonly perStep: number };
}

export function tune(attack: Attack, options: SgdOptions, tuning: Tuning): AsyncIterable<TrainedEpoch> {
  const { objective, views, beside, ...more } = tuning;
  const { subset, random } = attack;
  const own = imageFeed(subset, { batch: options.batch, views, random });
  const feed =
    beside === undefined
      ? own
      : joinedFeed(own, imageFeed(beside.images, { batch: beside.perStep, views, random: random.stream("beside") }));
  return trainEpochs(attack.model, sgdPlan(options, objective, more), feed, attack);
}

/** Epochs that other work comes before; its time counts as the first one's. */
export async function* tuneAfter(work: () => Promise<AsyncIterable<TrainedEpoch>>): AsyncGenerator<TrainedEpoch> {
  const start = performance.now();
  const epochs = await work();
  let before = (performance.now() - start) / 1000;
  for await (const epoch of epochs) {
    yield { ...epoch, seconds: epoch.seconds + before };
    before = 0;
  }
}
