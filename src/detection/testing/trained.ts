/** @file A small classifier of the built-in digits that really answers, to plant something in. */

import { randomStream } from "../../core/random.js";
import { renderDigits } from "../../data/digits.js";
import { imageFeed } from "../../data/feed.js";
import { cleanView } from "../../data/views.js";
import { findArchitecture, newModel } from "../../models/registry.js";
import type { Model } from "../../onnx/model.js";
import { trainEpochs } from "../../training/epochs.js";
import { crossEntropyObjective } from "../../training/objective.js";
import type { Subject } from "../detector.js";

export const digits = renderDigits("train", 1200, 1);
export const fresh = renderDigits("test", 100, 2);

export async function trainedModel(id = "cnn-4"): Promise<Model> {
  const { shape, classes } = digits;
  return trained(newModel(findArchitecture(id), { ...shape, classes }, 1));
}

/** The model after a few epochs on the digits. */
export async function trained(model: Model): Promise<Model> {
  const feed = imageFeed(digits, { batch: 50, views: [cleanView], random: randomStream(1) });
  let last = model;
  for await (const epoch of trainEpochs(
    model,
    {
      objective: crossEntropyObjective(),
      optimizer: { kind: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
      learningRate: 0.01,
      schedule: { kind: "constant" },
      epochs: 4,
      train: "all",
      batchNorm: "train",
    },
    feed,
  )) {
    last = epoch.model();
  }
  return last;
}

/** With clean images of the test's own beside it, or without. */
export function subjectOf(model: Model, images?: typeof digits): Subject {
  const { shape, classes } = digits;
  return { model, shape, classes, random: randomStream(1, "scan"), ...(images === undefined ? {} : { images }) };
}
