/** @file How a run computes, tells of itself and is stopped: the same for one model and for a whole experiment. */

import type { Progress } from "../core/progress.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { TrainingOptions } from "../training/epochs.js";
import type { RunCheckpoint } from "./checkpoint.js";
import type { EpochRecord } from "./records.js";
import { defined } from "../core/defined.js";

export interface RunOptions {
  readonly runtime?: RuntimeOptions;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** Name of a node: all that it is computed from stays as it is (`TrainingOptions`). */
  readonly trainFrom?: string;
  /** Gets each epoch's record as it comes, epoch 0 (the model before) first. */
  readonly onEpoch?: (record: EpochRecord) => void;
  /** Where it leaves how far it is, and goes on from. */
  readonly checkpoint?: RunCheckpoint;
}

/**
 * The same for a training loop. Field by field, because it goes to the attacker's methods too: whatever else a caller's
 * object carries (a command line with the key's path, say) must not.
 */
export function loopOptions(run: RunOptions, what: string): TrainingOptions {
  const { runtime, progress, signal, trainFrom } = run;
  return {
    what,
    ...defined({ runtime, progress, signal, trainFrom, checkpoint: run.checkpoint?.training }),
  };
}
