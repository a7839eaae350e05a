/**
 * @file A thread that computes cells: gets positions in the plan, leaves finished cells in the experiment's folder, says so.
 *
 * ONNX Runtime blocks the thread that calls it, so cells run side by side in threads of their own. What a thread needs to
 * know of the experiment comes as plain data, once.
 */

import { parentPort, workerData } from "node:worker_threads";
import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { unpackExperiment } from "./unpack-experiment.js";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker-messages.js";

const { experiment, out, runtime }: WorkerSetup = workerData;
const finish = unpackExperiment(experiment);

/** Progress goes through the other thread's event loop: a few a second are enough. */
const TELL_EVERY_MS = 100;

const controller = new AbortController();

parentPort?.on("message", async (message: ToWorker) => {
  if (message.kind === "stop") {
    controller.abort();
    return;
  }
  const run = { runtime, progress: seldomProgress(), signal: controller.signal };
  try {
    const { computed } = await finish(message.position, out, run);
    tell({ kind: "finished", computed });
  } catch (error) {
    tell(failure(error));
  }
});

function seldomProgress(): Progress {
  let told = 0;
  return {
    update(_, done, total) {
      const now = performance.now();
      if (now - told < TELL_EVERY_MS) return;
      told = now;
      tell({ kind: "progress", done, total });
    },
    note: () => {},
  };
}

function tell(message: FromWorker): void {
  parentPort?.postMessage(message);
}

function failure(error: unknown): FromWorker {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const known = error instanceof WildmarkError ? { code: error.code, hint: error.hint } : undefined;
  return { kind: "failed", message, stack, known };
}
