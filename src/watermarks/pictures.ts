/** @file Triggers that are pictures of another domain: some to train on, some kept back, some as placebos. */

import { isDeepStrictEqual } from "node:util";
import { WildmarkError } from "../core/errors.js";
import { describeShape } from "../core/image.js";
import { copied, type Images, type LabelledImages, selectImages } from "../data/dataset.js";
import type { Labelling } from "./labels.js";
import type { TriggerSet } from "./scheme.js";

export interface PictureChoice {
  /** What the pictures are, for messages: "unrelated". */
  readonly what: string;
  readonly triggers: number;
  readonly heldOut: number;
  /** Numbers of the pool's pictures in the order in which they are taken. */
  readonly order: Uint32Array;
  /** Labels of `count` pictures; called for triggers, held-out triggers and placebos in this order. */
  readonly labels: (count: number) => Uint16Array;
  readonly labelling: Labelling;
}

/** @throws WildmarkError `bad-data` where the pool has another shape than the training images, or too few pictures. */
export function pictureTriggers(pool: Images, train: LabelledImages, choice: PictureChoice): TriggerSet {
  const { what, triggers, heldOut, order, labels, labelling } = choice;
  if (!isDeepStrictEqual(pool.shape, train.shape)) {
    throw new WildmarkError(
      "bad-data",
      `The ${what} images are ${describeShape(pool.shape)}, the training images ${describeShape(train.shape)}.`,
      { hint: "Give images of another domain in the same shape." },
    );
  }
  const needed = 2 * triggers + heldOut;
  if (pool.count < needed) {
    throw new WildmarkError("bad-data", `There are ${pool.count} ${what} images; the mark needs ${needed}.`, {
      hint: "Choose fewer triggers (--triggers, --held-out): one placebo is taken for each.",
    });
  }
  const labelled = (from: number, to: number): LabelledImages => {
    const images = copied(selectImages(pool, order.subarray(from, to)));
    return { ...images, classes: train.classes, labels: labels(images.count) };
  };
  const end = triggers + heldOut;
  return {
    triggers: labelled(0, triggers),
    heldOut: labelled(triggers, end),
    labelling,
    placebos: { images: labelled(end, end + triggers), paired: false, exchangeable: true },
  };
}
