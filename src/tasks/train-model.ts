/** @file Trains one classifier without any mark: a null model, a start for marking, or a given model further. */

import type { z } from "zod";
import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { augmentedView } from "../data/augment.js";
import type { ReadingScores } from "../data/best-reading.js";
import type { Dataset } from "../data/dataset.js";
import { imageFeed } from "../data/feed.js";
import { firstImages } from "../data/first-images.js";
import { plainRecipe, type Recipe } from "../models/recipes.js";
import { type Architecture, newModel } from "../models/registry.js";
import type { Model } from "../onnx/model.js";
import { trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import { embedContinuingOptions, embedFromScratchOptionsOf } from "../watermarks/embed.js";
import { runEpochs } from "./measure.js";
import { type ReadingWords, requireUnharmed, settleReading } from "./reading.js";
import type { EpochRecord } from "./records.js";
import { loopOptions, type RunOptions } from "./run-options.js";

/** As marks are embedded from scratch, without the triggers: so that the two models differ in the mark alone. */
export function trainOptionsOf(recipe: Recipe) {
  return embedFromScratchOptionsOf(recipe).omit({ triggersPerBatch: true });
}

/** The same by the plain recipe. */
export const trainOptions = trainOptionsOf(plainRecipe);

/** Of a given model: as marks are embedded into one. */
export const continuingOptions = embedContinuingOptions.omit({ triggersPerBatch: true });

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
  const { dataset, architecture, seed } = training;
  const { train } = dataset;
  const start = newModel(architecture, { ...train.shape, classes: train.classes }, seed, firstImages(train));
  return trainOn(start, training, run, `train ${architecture.id}`);
}

/** A given model that is trained further. */
export interface ContinuedTraining extends Omit<Training, "architecture"> {
  readonly model: Model;
  /** Whether to take the model as it is read, whatever fits the data better; default false. */
  readonly asRead?: boolean;
  /** What messages call it, and how hints say a reading; default "the model", as a call does. */
  readonly named?: { readonly where: string; readonly words: ReadingWords };
}

export interface ContinuedModel extends TrainedModel {
  readonly accuracyBefore: number;
  /** What the given model answered under each plausible reading. */
  readonly readings: ReadingScores;
}

/** @throws WildmarkError as `trainEpochs`, `settleReading` and `requireUnharmed` do. */
export async function continueModel(training: ContinuedTraining, run: RunOptions = {}): Promise<ContinuedModel> {
  const { model, dataset, asRead = false, named = { where: "the model", words: "call" } } = training;
  const { runtime, progress } = run;
  const settling = { ...named, asRead, runtime, progress };
  const readings = await settleReading(model, dataset.test, settling);
  const accuracyBefore = await accuracy(model, dataset.test, runtime);
  const trained = await trainOn(model, training, run, "train");
  if (!asRead) await requireUnharmed(trained.model, dataset.test, readings, settling);
  return { ...trained, accuracyBefore, readings };
}

async function trainOn(
  start: Model,
  { dataset, seed, options }: Omit<Training, "architecture">,
  run: RunOptions,
  what: string,
): Promise<TrainedModel> {
  const { train, test } = dataset;
  const feed = imageFeed(train, {
    batch: options.batch,
    views: [augmentedView(options.augment, train.shape)],
    random: randomStream(seed, "training"),
  });
  const plan = sgdPlan(options, crossEntropyObjective(options.labelSmoothing));
  const epochs = trainEpochs(start, plan, feed, loopOptions(run, what));
  const trained = await runEpochs(start, epochs, async () => undefined, run);
  return { model: trained.model, accuracy: await accuracy(trained.model, test, run.runtime), epochs: trained.epochs };
}
