/** @file A small trained model to attack, and what an attack on it leaves. */

import { z } from "zod";
import { randomStream } from "../../core/random.js";
import { float32 } from "../../core/tensor.js";
import { imageFeed } from "../../data/feed.js";
import { cleanView } from "../../data/views.js";
import type { Model } from "../../onnx/model.js";
import { storedTensors } from "../../onnx/traverse.js";
import { trainEpochs } from "../../training/epochs.js";
import { crossEntropyObjective } from "../../training/objective.js";
import { sgdPlan, sgdShape } from "../../training/options.js";
import { tinyImages, tinyModel } from "../../training/testing/tiny.js";
import type { Attack, Stage } from "../method.js";
import type { ChosenMethod } from "../registry.js";

/** A model that has learnt the images a little, with running statistics of its own where it normalises. */
export async function trainedTinyModel({ batchNorm = false } = {}): Promise<Model> {
  const options = z
    .strictObject(sgdShape({ epochs: 4, batch: 8, learningRate: 0.05, schedule: "constant", weightDecay: 0 }))
    .parse({});
  const feed = imageFeed(tinyImages(64), { batch: 8, views: [cleanView], random: randomStream(1) });
  let model = tinyModel({ batchNorm });
  for await (const epoch of trainEpochs(model, sgdPlan(options, crossEntropyObjective()), feed)) model = epoch.model();
  return model;
}

/** The attacker's images. */
export const subset = tinyImages(24, { seed: 7 });
const { labels: _, classes: __, ...rest } = tinyImages(24, { seed: 8 });
/** Those without labels. */
export const unlabelled = rest;

export interface Outcome {
  readonly records: readonly Stage[];
  /** The model after each stage. */
  readonly models: readonly Model[];
  /** After the last one. */
  readonly model: Model;
}

/** Attacks `model` with the images above, unless `more` says otherwise. */
export async function attack(
  method: Pick<ChosenMethod, "run">,
  model: Model,
  seed: number,
  more: Partial<Attack> = {},
): Promise<Outcome> {
  const records: Stage[] = [];
  const models: Model[] = [];
  for await (const epoch of method.run({ model, subset, unlabelled, random: randomStream(seed, "attack"), ...more })) {
    records.push(epoch);
    models.push(epoch.model());
  }
  return { records, models, model: models.at(-1) ?? model };
}

/** The numbers of one of the model's weights. */
export function weightOf(model: Model, name: string): Float32Array {
  const tensor = storedTensors(model.graph).get(name);
  return tensor?.type === "float32" ? tensor.data : float32([0], []).data;
}
