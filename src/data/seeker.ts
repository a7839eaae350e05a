/** @file Who looks for images that a model answers in some way: what he has, and how he computes. */

import type { RandomStream } from "../core/random.js";
import type { Model } from "../onnx/model.js";
import type { TrainingOptions } from "../training/epochs.js";
import type { LabelledImages } from "./dataset.js";

export interface Seeker extends Pick<TrainingOptions, "runtime" | "progress" | "signal"> {
  readonly model: Model;
  /** Images of the kind that the model is for. */
  readonly subset: LabelledImages;
  readonly random: RandomStream;
}
