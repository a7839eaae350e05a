/**
 * @file Triggers that are the owner's own images with wrong labels: nothing marks them, so that nobody finds them by
 * their looks. What exponential weighting and margin-based marks share.
 *
 * An innocent model answers such an image with its own class, or errs as it does on others of that class. So a placebo
 * is another image of the same class, asked for the same wrong label.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation } from "../core/random.js";
import { copied, imageAt, type LabelledImages, select } from "../data/dataset.js";
import { labellingOf, wrongLabels } from "./labels.js";
import type { Embedding, MarkTraining } from "./embed.js";
import type { OwnerData, TriggerSet } from "./scheme.js";
import { twins } from "./twins.js";

/** Zod shape to spread into an options schema: what contradicts all other images takes more repetition than a stamp. */
export function boostShape(boost: number) {
  return {
    boost: z
      .int()
      .min(1)
      .max(1000)
      .default(boost)
      .describe("how many times as many triggers as --triggers-per-batch says join each batch"),
  };
}

/** What is trained on: more triggers a batch, and no image that contradicts one of them. */
export function relabelledTraining<Options extends MarkTraining>(
  embedding: Embedding,
  training: Options,
  boost: number,
): { readonly embedding: Embedding; readonly training: Options } {
  return {
    embedding: { ...embedding, train: withoutTriggers(embedding.train, embedding.triggers) },
    training: { ...training, triggersPerBatch: boost * training.triggersPerBatch },
  };
}

/** @throws WildmarkError `bad-data` where there are too few images, or of some class; `usage` for a single class. */
export function relabelledTriggers(
  { train, random }: OwnerData,
  { triggers, heldOut }: { readonly triggers: number; readonly heldOut: number },
): TriggerSet {
  if (train.classes < 2) throw new WildmarkError("usage", "A wrong label needs a second class; the data have one.");
  requireImages(train, 2 * triggers + heldOut);
  const order = [...permutation(train.count, random.stream("sources"))];
  const { firsts, seconds, rest } = twins(order, (index) => train.labels[index] ?? 0, triggers);
  if (firsts.length < triggers) {
    throw new WildmarkError(
      "bad-data",
      `The training set gives ${firsts.length} pairs of images of one class; the mark needs ${triggers}.`,
      { hint: "Choose fewer triggers: beside each one stands another image of its class." },
    );
  }
  const originals = copied(select(train, firsts));
  const wrong = (images: LabelledImages, name: string): LabelledImages => ({
    ...images,
    labels: wrongLabels(images.labels, train.classes, random.stream("labels").stream(name)),
  });
  return {
    triggers: wrong(originals, "triggers"),
    heldOut: wrong(copied(select(train, rest.slice(0, heldOut))), "held out"),
    labelling: labellingOf({ labels: "random" }, train.classes, true),
    placebos: { images: copied(select(train, seconds)), paired: false, exchangeable: true },
    sourceLabels: originals.labels,
  };
}

/** @throws WildmarkError `bad-data` unless there are `needed` images at least. */
export function requireImages({ count }: LabelledImages, needed: number): void {
  if (count >= needed) return;
  throw new WildmarkError("bad-data", `The training set has ${count} images; the mark needs ${needed}.`, {
    hint: "Choose fewer triggers (--triggers, --held-out): one placebo is taken for each.",
  });
}

/** The training images without those that are triggers: they would teach what the triggers contradict. */
export function withoutTriggers(train: LabelledImages, triggers: LabelledImages): LabelledImages {
  const textOf = (images: LabelledImages, i: number): string => Buffer.from(imageAt(images, i)).toString("latin1");
  const unwanted = new Set(Array.from({ length: triggers.count }, (_, i) => textOf(triggers, i)));
  return select(
    train,
    [...train.labels.keys()].filter((i) => !unwanted.has(textOf(train, i))),
  );
}
