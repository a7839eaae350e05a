/**
 * @file Feeds labelled images to training steps: shuffled, scaled to [0, 1], in as many views as the objective wants.
 */

import type { RandomStream } from "../core/random.js";
import type { Feed } from "../training/epochs.js";
import { epochBatches, packImages, stepsPerEpoch } from "./batches.js";
import { imageSize, type LabelledImages } from "./dataset.js";
import type { View } from "./views.js";

export interface ImageFeedOptions {
  readonly batch: number;
  /** One for each view of the objective, in its order. */
  readonly views: readonly View[];
  /** Its streams "shuffle" and "augment" are drawn from, by epoch and step. */
  readonly random: RandomStream;
}

/** Every image at least once an epoch, in an order that depends on the epoch alone; labels as one-hot targets. */
export function imageFeed(images: LabelledImages, options: ImageFeedOptions): Feed {
  const { views, random } = options;
  const batch = Math.min(options.batch, images.count);
  const clean = new Float32Array(batch * imageSize(images.shape));
  let drawn: { readonly epoch: number; readonly batches: readonly Uint32Array[] } = { epoch: 0, batches: [] };

  return {
    stepsPerEpoch: stepsPerEpoch(images.count, batch),
    batch,
    classes: images.classes,
    shape: images.shape,
    fill(epoch, step, target, targets) {
      if (drawn.epoch !== epoch) {
        drawn = { epoch, batches: [...epochBatches(images.count, batch, random.stream("shuffle").stream(epoch))] };
      }
      const chosen = drawn.batches[step] ?? new Uint32Array(0);
      packImages(images, chosen, clean);
      const augment = random.stream("augment").stream(epoch).stream(step);
      const pass = { epoch, always: random.stream("augment").stream("always") };
      views.forEach((view, i) => {
        const rows = target.subarray(i * clean.length, (i + 1) * clean.length);
        view(clean, rows, images.shape, batch, augment.stream(i), chosen, pass);
      });
      targets.fill(0);
      chosen.forEach((index, row) => {
        targets[row * images.classes + (images.labels[index] ?? 0)] = 1;
      });
    },
  };
}

/**
 * Two feeds in one: each batch is one of `first` with one of `second` after it, seen in a single view. An epoch is one
 * of `first`; `second` goes on from where the epoch before left it.
 */
export function joinedFeed(first: Feed, second: Feed): Feed {
  const pixels = first.batch * imageSize(first.shape);
  const targetCount = first.batch * first.classes;
  return {
    ...first,
    batch: first.batch + second.batch,
    fill(epoch, step, images, targets) {
      first.fill(epoch, step, images.subarray(0, pixels), targets.subarray(0, targetCount));
      const turn = (epoch - 1) * first.stepsPerEpoch + step;
      const round = Math.floor(turn / second.stepsPerEpoch);
      const stepOfRound = turn % second.stepsPerEpoch;
      second.fill(round + 1, stepOfRound, images.subarray(pixels), targets.subarray(targetCount));
    },
  };
}
