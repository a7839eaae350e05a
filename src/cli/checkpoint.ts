/** @file The file beside a command's output that the same command goes on from. */

import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { computedBy } from "../experiments/machine.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { openCheckpoint, type RunCheckpoint } from "../tasks/checkpoint.js";

/** What of a given model the output of a command depends on. */
export function modelIdentity(model: Model) {
  const { preprocessing, head } = model;
  return { sha256: modelSha256(encodeModel(model)), preprocessing, head };
}

/**
 * Opens it: `OUT.training`.
 *
 * @param run.identity all that the output depends on, apart from versions, device and threads.
 * @param run.drawn as `CheckpointOptions` has it.
 */
export async function checkpointBeside(
  out: string,
  run: { readonly identity: unknown; readonly runtime: RuntimeOptions; readonly drawn?: string },
  progress: Progress,
): Promise<RunCheckpoint> {
  const { runtime, drawn } = run;
  const path = `${out}.training`;
  const identity = [run.identity, computedBy(runtime), runtime.threads ?? null];
  const checkpoint = await openCheckpoint(path, { identity, ...(drawn === undefined ? {} : { drawn }) });
  switch (checkpoint.found) {
    case "nothing":
      break;
    case "this run":
      progress.note(`note: going on from ${path}, which the same command left`);
      break;
    case "another run":
      progress.note(`note: ${path} is of a run with other data or flags; this one starts anew, and writes over it`);
      break;
    case "another file":
      throw new WildmarkError("cannot-write", `${path}: expected what a stopped run left, found another file.`, {
        hint: "Move it, or choose another --out: that is where this command keeps how far it is.",
      });
  }
  return checkpoint;
}
