/** @file A model's answers on labelled images, and how many of them are right. */

import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { askModel } from "../training/ask.js";
import { agreement } from "../training/evaluate.js";
import { packImages } from "./batches.js";
import type { Images, LabelledImages } from "./dataset.js";

/**
 * The model's class for every image, whatever it is made of (`askModel`): it has to run, not to train.
 *
 * @throws WildmarkError as `askModel` does.
 */
export function answers(model: Model, images: Images, options: RuntimeOptions = {}): Promise<Uint16Array> {
  return askModel(model, { shape: images.shape, count: images.count, pack: packerOf(images) }, options);
}

/** Writes images `from` to `from + count` of the set into a buffer. */
export function packerOf(images: Images): (from: number, count: number, target: Float32Array) => void {
  return (from, count, target) =>
    packImages(
      images,
      Uint32Array.from({ length: count }, (_, i) => from + i),
      target,
    );
}

/** Share of images whose answer is their label. */
export async function accuracy(model: Model, images: LabelledImages, options: RuntimeOptions = {}): Promise<number> {
  return agreement(await answers(model, images, options), images.labels);
}
