/** @file Trains one classifier without any mark: a null model, or a start for marking. */

import type { z } from "zod";
import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { augmentedView } from "../data/augment.js";
import type { Dataset } from "../data/dataset.js";
import { imageFeed } from "../data/feed.js";
import { firstImages } from "../data/first-images.js";
import { plainRecipe, type Recipe } from "../models/recipes.js";
import { type Architecture, newModel } from "../models/registry.js";
import type { Model } from "../onnx/model.js";
import { trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import { embedFromScratchOptionsOf } from "../watermarks/embed.js";
import { runEpochs } from "./measure.js";
import type { EpochRecord } from "./records.js";
import { loopOptions, type RunOptions } from "./run-options.js";

/** As marks are embedded from scratch, without the triggers: so that the two models differ in the mark alone. */
export function trainOptionsOf(recipe: Recipe) {
  return embedFromScratchOptionsOf(recipe).omit({ triggersPerBatch: true });
}

/** The same by the plain recipe. */
export const trainOptions = trainOptionsOf(plainRecipe);

export interface Training {
  readonly dataset: Dataset;
  readonly architecture: Architecture;
  /** Weights, order and all else that is random follow from it. */
  readonly seed: number;
  readonly options: z.infer<typeof trainOptions>;
}

export interface TrainedModel {
  readonly model: Model;
  /** Share of the test set answered correctly. */
  readonly accuracy: number;
  readonly epochs: readonly EpochRecord[];
}

/** @throws WildmarkError as `trainEpochs` does. */
export async function trainModel(training: Training, run: RunOptions = {}): Promise<TrainedModel> {
  const { dataset, architecture, seed, options } = training;
  const { train, test } = dataset;
  const start = newModel(architecture, { ...train.shape, classes: train.classes }, seed, firstImages(train));
  const feed = imageFeed(train, {
    batch: options.batch,
    views: [augmentedView(options.augment, train.shape)],
    random: randomStream(seed, "training"),
  });
  const plan = sgdPlan(options, crossEntropyObjective(options.labelSmoothing));
  const epochs = trainEpochs(start, plan, feed, loopOptions(run, `train ${architecture.id}`));
  const trained = await runEpochs(start, epochs, async () => undefined, run.onEpoch);
  return { model: trained.model, accuracy: await accuracy(trained.model, test, run.runtime), epochs: trained.epochs };
}
