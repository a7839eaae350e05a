/** @file A model's answers on labelled images, and how many of them are right. */

import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { agreement, predict } from "../training/evaluate.js";
import { imageSize, type LabelledImages } from "./dataset.js";

/** The model's class for every image. */
export function answers(model: Model, images: LabelledImages, options: RuntimeOptions = {}): Promise<Uint8Array> {
  const size = imageSize(images.shape);
  const pack = (from: number, count: number, target: Float32Array): void => {
    for (let i = 0; i < count * size; i++) target[i] = (images.images[from * size + i] ?? 0) / 255;
  };
  return predict(model, pack, images.count, options);
}

/** Share of images whose answer is their label. */
export async function accuracy(model: Model, images: LabelledImages, options: RuntimeOptions = {}): Promise<number> {
  return agreement(await answers(model, images, options), images.labels);
}
