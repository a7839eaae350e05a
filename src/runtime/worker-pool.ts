/**
 * @file A worker pool: threads that each run the same graph on values of their own, all at once, beside the thread that
 * asks.
 *
 * ONNX Runtime cuts every operator anew between its threads, and where operators take some microseconds the cores spend
 * their time bringing each other data. A pool cuts the work once: each worker keeps to one core from the first operator
 * to the last. What goes to workers and what comes back lies in memory that all threads share; ONNX Runtime takes no
 * such memory, so each worker copies.
 */

import { setImmediate as immediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { builtScript } from "../core/built.js";
import { WildmarkError } from "../core/errors.js";
import { elementCount } from "../core/tensor.js";
import { encodeGraph } from "../onnx/encode.js";
import type { Graph } from "../onnx/graph.js";
import {
  FINISHED,
  type WorkerFailure,
  type WorkerSetup,
  ORDERED,
  SIGNALS,
  type SharedTensor,
  waitWhile,
} from "./pool-signals.js";

/** Dimensions of float32 tensors, by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

export interface PoolPlan {
  readonly graph: Graph;
  /** Inputs that are the same for all workers. */
  readonly common: Shapes;
  /** Inputs of which each worker has its own. */
  readonly own: Shapes;
  readonly outputs: Shapes;
  readonly workers: number;
  /** Of each worker. */
  readonly threads: number;
}

export interface WorkerPool {
  /** To be filled before a run. */
  readonly common: ReadonlyMap<string, Float32Array>;
  readonly workers: readonly PoolWorker[];
  /**
   * All workers run once, while the caller does its own share of the work. The calling thread sleeps once that is done
   * and others are not.
   *
   * @throws WildmarkError `runtime` where one fails; the pool is then of no more use.
   */
  run(meanwhile: () => Promise<void>): Promise<void>;
  release(): Promise<void>;
}

export interface PoolWorker {
  /** To be filled before a run. */
  readonly own: ReadonlyMap<string, Float32Array>;
  /** What the last run left. */
  readonly outputs: ReadonlyMap<string, Float32Array>;
}

/** @throws WildmarkError `runtime` where ONNX Runtime refuses the graph. */
export async function startWorkerPool(plan: PoolPlan): Promise<WorkerPool> {
  const model = encodeGraph(plan.graph);
  const common = share(plan.common);
  const pool = Array.from({ length: plan.workers }, () => {
    const own = share(plan.own);
    const outputs = share(plan.outputs);
    const thread = startWorker({ model, threads: plan.threads, inputs: [...common, ...own], outputs });
    return { own: viewsOf(own), outputs: viewsOf(outputs), thread };
  });
  const release = async (): Promise<void> => {
    await Promise.all(pool.map(({ thread }) => thread.end()));
  };
  let runs = 0;
  try {
    for (const { thread } of pool) await thread.finished(1);
  } catch (error) {
    await release();
    throw error;
  }
  return {
    common: viewsOf(common),
    workers: pool,
    async run(meanwhile) {
      runs += 1;
      for (const { thread } of pool) thread.start(runs);
      try {
        await meanwhile();
      } finally {
        for (const { thread } of pool) await thread.finished(runs + 1);
      }
    },
    release,
  };
}

interface WorkerThread {
  /** @param runs how many that makes. */
  start(runs: number): void;
  /**
   * Waits for so many signals.
   *
   * @throws WildmarkError `runtime` where the worker failed or is no more.
   */
  finished(signals: number): Promise<void>;
  end(): Promise<void>;
}

/** Workers end at about the same time. */
const SPIN_MS = 0.3;

/** Between looks at whether the worker is still there. */
const SLEEP_MS = 20;

const ENDED = "a thread of the pool ended";

function startWorker(setup: Omit<WorkerSetup, "signals">): WorkerThread {
  const memory = new SharedArrayBuffer(SIGNALS * Int32Array.BYTES_PER_ELEMENT);
  const signals = new Int32Array(memory);
  const worker = new Worker(builtScript("runtime/pool-worker.js"), { workerData: { ...setup, signals: memory } });
  let failure: string | undefined;
  worker.on("message", ({ failed }: WorkerFailure) => {
    failure = failed;
  });
  worker.on("error", (error) => {
    failure = error instanceof Error ? error.message : String(error);
  });
  const ended = new Promise<void>((resolve) => {
    worker.on("exit", () => {
      failure ??= ENDED;
      resolve();
    });
  });
  // Whoever leaves without a word is not kept by workers that wait.
  worker.unref();
  const signal = (value: number): void => {
    Atomics.store(signals, ORDERED, value);
    Atomics.notify(signals, ORDERED);
  };
  return {
    start: signal,
    async finished(wanted) {
      while (waitWhile(signals, FINISHED, wanted - 1, SPIN_MS, SLEEP_MS) < wanted) {
        await immediate(); // so that words of the thread arrive
        if (failure !== undefined) throw new WildmarkError("runtime", failure);
      }
    },
    async end() {
      worker.ref();
      signal(-1);
      await ended;
    },
  };
}

function share(shapes: Shapes): readonly SharedTensor[] {
  return [...shapes].map(([name, dims]) => ({
    name,
    dims,
    memory: new SharedArrayBuffer(elementCount(dims) * Float32Array.BYTES_PER_ELEMENT),
  }));
}

const viewsOf = (tensors: readonly SharedTensor[]): ReadonlyMap<string, Float32Array> =>
  new Map(tensors.map(({ name, memory }) => [name, new Float32Array(memory)]));
