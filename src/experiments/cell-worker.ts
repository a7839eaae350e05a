/**
 * @file A process that computes cells: gets addresses of cells, leaves finished cells in the experiment's folder, says
 * so.
 *
 * ONNX Runtime blocks the thread that calls it, so cells run side by side elsewhere; in processes, so that one that
 * runs out of memory or crashes ends alone. What a process needs to know of the experiment comes as plain data, once.
 */

import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { finishAt } from "./cells.js";
import { unpackSpec } from "./packed.js";
import type { CellAddress } from "./plan.js";
import type { ExperimentSpec } from "./spec.js";
import { CellBusy } from "./store.js";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker-messages.js";

/** Progress goes through the other process's event loop: a few a second are enough. */
const TELL_EVERY_MS = 100;

const controller = new AbortController();
let work: { readonly setup: WorkerSetup; readonly spec: ExperimentSpec } | undefined;

process.on("message", (message: ToWorker) => {
  switch (message.kind) {
    case "setup":
      work = { setup: message.setup, spec: unpackSpec(message.setup.spec) };
      return;
    case "stop":
      controller.abort();
      return;
    case "compute":
      void compute(message.address).then(tell);
      return;
  }
});
// Whoever directs has ended, in whatever way: nobody waits for this any more.
process.on("disconnect", () => process.exit());
// Ctrl-C reaches all processes of a terminal; when to stop is for the one that directs to say.
process.on("SIGINT", () => {});

async function compute(address: CellAddress): Promise<FromWorker> {
  try {
    if (work === undefined) throw new Error("asked for a cell before it was said of which experiment");
    const { setup, spec } = work;
    const run = { runtime: setup.runtime, progress: seldomProgress(), signal: controller.signal };
    return { kind: "finished", ...(await finishAt({ spec, out: setup.out, run }, address)) };
  } catch (error) {
    return error instanceof CellBusy ? { kind: "busy" } : failure(error);
  }
}

function seldomProgress(): Progress {
  let told = 0;
  return {
    update(_, done) {
      const now = performance.now();
      if (now - told < TELL_EVERY_MS) return;
      told = now;
      tell({ kind: "progress", done });
    },
    note: () => {},
  };
}

function tell(message: FromWorker): void {
  // The other side may be gone; then there is nobody to tell, and "disconnect" follows.
  if (process.connected) process.send?.(message, undefined, {}, () => {});
}

function failure(error: unknown): FromWorker {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const known = error instanceof WildmarkError ? { code: error.code, hint: error.hint } : undefined;
  return { kind: "failed", message, stack, known };
}
