/**
 * @file The re-activation test: a few steps of tuning on clean training data may bring a mark back that a removal
 * seemed to have taken away (Ngo et al., arXiv:2501.02704).
 *
 * They introduce training data, no triggers, after fine-tuning, and find the mark restored where the weights had not
 * moved far. How many steps, how fast, is our own choice: SGD with momentum at a small constant rate.
 */

import { z } from "zod";
import { permutation, type RandomStream } from "../core/random.js";
import { type LabelledImages, select } from "../data/dataset.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import type { Model } from "../onnx/model.js";
import { type Feed, trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan, sgdShape } from "../training/options.js";
import type { Reactivation } from "./reactivation.js";
import { loopOptions, type RunOptions } from "./run-options.js";

const sgd = z.strictObject(
  sgdShape({ epochs: 1, batch: 64, learningRate: 0.01, schedule: "constant", weightDecay: 0 }),
);

export interface Reactivated {
  readonly model: Model;
  /** Time spent tuning. */
  readonly seconds: number;
}

/**
 * Tunes a model on clean training images, drawn anew.
 *
 * @throws WildmarkError as `trainEpochs` does.
 */
export async function reactivate(
  model: Model,
  train: LabelledImages,
  { steps, batch, learningRate }: Reactivation,
  random: RandomStream,
  run: RunOptions = {},
): Promise<Reactivated> {
  const count = Math.min(train.count, steps * batch);
  const images = select(train, permutation(train.count, random.stream("images")).subarray(0, count));
  const feed = ofSteps(steps, imageFeed(images, { batch, views: [cleanView], random }));
  const plan = sgdPlan(sgd.parse({ batch, learningRate }), crossEntropyObjective());
  let tuned: Reactivated = { model, seconds: 0 };
  for await (const epoch of trainEpochs(model, plan, feed, loopOptions(run, "re-activate"))) {
    tuned = { model: epoch.model(), seconds: epoch.seconds };
  }
  return tuned;
}

/** A feed of which one epoch is so many steps, through as many of the other's as that takes. */
function ofSteps(steps: number, feed: Feed): Feed {
  return {
    ...feed,
    stepsPerEpoch: steps,
    fill: (_epoch, step, images, targets) =>
      feed.fill(1 + Math.floor(step / feed.stepsPerEpoch), step % feed.stepsPerEpoch, images, targets),
  };
}
