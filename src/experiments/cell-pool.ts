/** @file Threads that compute the cells of one experiment, each cell in whichever thread is free. */

import { Worker } from "node:worker_threads";
import { WildmarkError } from "../core/errors.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { PackedExperiment } from "./experiment.js";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker-messages.js";

export interface CellPool {
  /**
   * Computes a cell in a free thread; it is then found finished in the experiment's folder. At most as many at a time as
   * there are threads.
   *
   * @param position of the cell in the plan
   * @returns whether there was anything to compute.
   */
  compute(position: number, onProgress: (done: number) => void): Promise<boolean>;
  /** Asks all threads to leave what they compute at the next step: it then fails as `interrupted`. */
  stop(): void;
  /** Stops, and ends the threads once they have left their work: a thread must not end inside ONNX Runtime. */
  close(): Promise<void>;
}

/** Starts `jobs` threads; the records of the experiment must be those of the registries, because threads find them there. */
export function openCellPool(
  experiment: PackedExperiment,
  out: string,
  jobs: number,
  runtime: RuntimeOptions,
): CellPool {
  const workerData: WorkerSetup = { experiment, out, runtime };
  const script = new URL("./cell-worker.js", import.meta.url);
  const broken = new Map<Worker, unknown>();
  const threads = Array.from({ length: jobs }, () => {
    const thread = new Worker(script, { workerData });
    // A thread may break while it has nothing to do, too: out of memory, or a spec that it cannot read.
    return thread.on("error", (error) => broken.set(thread, error));
  });
  const free = [...threads];
  const underWay = new Set<Promise<boolean>>();
  const stop = (): void => {
    const message: ToWorker = { kind: "stop" };
    for (const thread of threads) thread.postMessage(message);
  };
  return {
    async compute(position, onProgress) {
      const thread = free.shift();
      if (thread === undefined) throw new Error("more cells at a time than threads");
      if (broken.has(thread)) throw broken.get(thread);
      const work = computeIn(thread, position, onProgress);
      underWay.add(work);
      try {
        return await work;
      } finally {
        underWay.delete(work);
        free.push(thread);
      }
    },
    stop,
    async close() {
      stop();
      await Promise.allSettled(underWay);
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}

function computeIn(thread: Worker, position: number, onProgress: (done: number) => void): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: FromWorker): void => {
      if (message.kind === "progress") {
        onProgress(message.done);
        return;
      }
      settle();
      if (message.kind === "finished") resolve(message.computed);
      else reject(errorFrom(message));
    };
    const onError = (error: unknown): void => {
      settle();
      reject(error);
    };
    const onExit = (): void => onError(new WildmarkError("interrupted", "Stopped."));
    const settle = (): void => {
      thread.off("message", onMessage).off("error", onError).off("exit", onExit);
    };
    thread.on("message", onMessage).on("error", onError).on("exit", onExit);
    const message: ToWorker = { kind: "compute", position };
    thread.postMessage(message);
  });
}

function errorFrom({ message, stack, known }: FromWorker & { readonly kind: "failed" }): Error {
  if (known !== undefined) {
    return new WildmarkError(known.code, message, known.hint === undefined ? {} : { hint: known.hint });
  }
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
