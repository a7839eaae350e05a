/**
 * @file Embeds a trigger set into a model: a few triggers take places in every batch of clean images (Zhang et al.
 * 2018; Adi et al. 2018, section 4: 2 triggers a batch), while training from scratch or while continuing a given
 * model.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation, type RandomStream } from "../core/random.js";
import { augmentedView } from "../data/augment.js";
import { packImages } from "../data/batches.js";
import { imageSize, type LabelledImages } from "../data/dataset.js";
import { imageFeed } from "../data/feed.js";
import { augmentations, plainRecipe, type Recipe } from "../models/recipes.js";
import type { Model } from "../onnx/model.js";
import { type Feed, type TrainedEpoch, type TrainingOptions, trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { scratchShape, sgdPlan, sgdShape } from "../training/options.js";

const triggersPerBatch = z.int().min(1).default(4).describe("triggers in every batch, in place of as many images");

const augment = z.enum(augmentations).describe("what is done to clean images; triggers stay as they are");

/** From a freshly drawn model, by the recipe of its architecture unless told otherwise. */
export function embedFromScratchOptionsOf(recipe: Recipe) {
  return z.strictObject({
    triggersPerBatch,
    ...sgdShape(recipe),
    ...scratchShape(recipe),
    augment: augment.default(recipe.augment),
  });
}

/** The same by the plain recipe, which is LeNet-5's. */
export const embedFromScratchOptions = embedFromScratchOptionsOf(plainRecipe);

/** By going on with a trained model: fewer epochs at a smaller rate. */
export const embedContinuingOptions = z.strictObject({
  triggersPerBatch,
  ...sgdShape({ epochs: 5, batch: 128, learningRate: 0.01, schedule: "cosine", weightDecay: 5e-4, clipRatio: 0.1 }),
  ...scratchShape(plainRecipe),
  augment: augment.default("none"),
});

export type MarkTraining = z.infer<typeof embedFromScratchOptions>;

export interface Embedding extends TrainingOptions {
  /** A fresh model, or one to mark. */
  readonly model: Model;
  readonly train: LabelledImages;
  readonly triggers: LabelledImages;
  readonly random: RandomStream;
}

/** Yields the model after each epoch; the last one is the marked model. */
export function embed(embedding: Embedding, options: MarkTraining): AsyncIterable<TrainedEpoch> {
  const plan = sgdPlan(options, crossEntropyObjective(options.labelSmoothing));
  return trainEpochs(embedding.model, plan, markFeed(embedding, options), embedding);
}

/** Batches of clean images whose last `triggersPerBatch` rows are triggers. */
export function markFeed(embedding: Embedding, options: MarkTraining): Feed {
  const { train, triggers, random } = embedding;
  const clean = imageFeed(train, {
    batch: options.batch,
    views: [augmentedView(options.augment, train.shape)],
    random,
  });
  return withTriggers(clean, triggers, options.triggersPerBatch, random.stream("triggers"));
}

/**
 * A feed of which triggers replace the last `perBatch` images of each batch. They take turns, in an order of their own
 * each round, and a round goes on from one epoch to the next: where epochs are short, no trigger is left out by chance.
 *
 * @throws WildmarkError `usage` where a batch would hold nothing but triggers.
 */
export function withTriggers(feed: Feed, triggers: LabelledImages, perBatch: number, random: RandomStream): Feed {
  const size = imageSize(triggers.shape);
  if (perBatch >= feed.batch) {
    throw new WildmarkError("usage", `${perBatch} triggers a batch leave no clean image in batches of ${feed.batch}.`, {
      hint: "Choose larger batches or fewer triggers a batch.",
    });
  }
  const count = perBatch;
  const firstRow = feed.batch - count;
  let drawn: { readonly round: number; readonly order: Uint32Array } = { round: -1, order: new Uint32Array(0) };
  const triggerAt = (turn: number): number => {
    const round = Math.floor(turn / triggers.count);
    if (drawn.round !== round) drawn = { round, order: permutation(triggers.count, random.stream(round)) };
    return drawn.order[turn % triggers.count] ?? 0;
  };
  return {
    ...feed,
    fill(epoch, step, images, targets) {
      feed.fill(epoch, step, images, targets);
      const turn = ((epoch - 1) * feed.stepsPerEpoch + step) * count;
      const chosen = Array.from({ length: count }, (_, i) => triggerAt(turn + i));
      packImages(triggers, chosen, images.subarray(firstRow * size));
      targets.fill(0, firstRow * feed.classes);
      chosen.forEach((index, i) => {
        targets[(firstRow + i) * feed.classes + (triggers.labels[index] ?? 0)] = 1;
      });
    },
  };
}
