/** @file Results as they come: a line for each epoch. */

import type { Progress } from "../core/progress.js";
import type { EpochRecord } from "../tasks/records.js";
import { percent } from "../core/percent.js";

/** Notes each epoch: the loss while training, and what was measured. */
export function noteEpochs(progress: Progress): (record: EpochRecord) => void {
  return ({ epoch, loss, measured }) => {
    const parts = [
      ...(loss === undefined ? [] : [`loss ${loss.toFixed(4)}`]),
      ...(measured === undefined
        ? []
        : [`accuracy ${percent(measured.accuracy)}`, `retention ${percent(measured.retention)}`]),
    ];
    if (parts.length > 0) progress.note(`epoch ${epoch}: ${parts.join(", ")}`);
  };
}
