/** @file How a run computes, tells of itself and is stopped: the same for one model and for a whole experiment. */

import type { Progress } from "../core/progress.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { TrainingOptions } from "../training/epochs.js";
import type { EpochRecord } from "./result.js";

export interface RunOptions {
  readonly runtime?: RuntimeOptions;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** What the progress calls the work, where there is more than one of its kind. */
  readonly what?: string;
  /** Gets each epoch's record as it comes, epoch 0 (the model before) first. */
  readonly onEpoch?: (record: EpochRecord) => void;
}

/** The same for a training loop. */
export function loopOptions({ onEpoch: _, ...run }: RunOptions, what: string): TrainingOptions {
  return { what, ...run };
}
