/**
 * @file Who computes the cells of an experiment: this thread, or several side by side. Tells how far the whole is.
 */

import { WildmarkError } from "../core/errors.js";
import { type Progress, silent } from "../core/progress.js";
import { type RuntimeOptions, threadsFromEnvironment } from "../runtime/options.js";
import { throwIfAborted } from "../training/epochs.js";
import { type CellPool, openCellPool } from "./cell-pool.js";
import type { Experiment } from "./experiment.js";
import type { Workshop } from "./finish-cells.js";
import { addressKey, type PlannedCell } from "./plan.js";
import { workQueue } from "./queue.js";
import type { RunOptions } from "./run-options.js";
import type { FinishedCell } from "./store.js";

export interface Crew<Spec, Address> {
  /**
   * Finishes the addressed cell as soon as there is room, earlier cells of the plan first.
   *
   * @param here finishes it in this thread, or reads what another thread has finished
   * @param tell what is said of the result
   */
  finish<R>(address: Address, here: FinishHere<Spec, R>, tell: (result: R) => string): Promise<R>;
  /**
   * The same where one cell that fails shall not keep the others from being finished. What would stop them all (an
   * interruption, a full disk) is still thrown.
   */
  attempt<R>(address: Address, here: FinishHere<Spec, R>, tell: (result: Attempt<R>) => string): Promise<Attempt<R>>;
  dismiss(): Promise<void>;
}

type FinishHere<Spec, R> = (workshop: Workshop<Spec>) => Promise<FinishedCell<R>>;

export type Attempt<R> = { readonly result: R } | { readonly error: Error };

export interface CrewOptions extends RunOptions {
  /** The experiment's folder. */
  readonly out: string;
  /** Cells computed side by side; default 1, in this thread. */
  readonly jobs?: number;
}

export function openCrew<Spec, Address extends object>(
  experiment: Experiment<Spec, Address>,
  options: CrewOptions,
): Crew<Spec, Address> {
  const { runtime, progress: shown = silent, signal, out, jobs = 1 } = options;
  const { spec, plan } = experiment;
  const run = { runtime: { ...runtime, threads: cellThreads(runtime) }, ...(signal === undefined ? {} : { signal }) };
  const cells = new Map(plan.map((cell) => [addressKey(cell.address), cell]));
  const queue = workQueue(jobs);
  const tracker = trackProgress(plan, shown);
  const pool = jobs > 1 ? openCellPool(experiment.pack(), out, jobs, run.runtime) : undefined;
  const stop = (): void => pool?.stop();
  signal?.addEventListener("abort", stop, { once: true });

  const cellAt = (address: Address): PlannedCell<Address> => {
    const cell = cells.get(addressKey(address));
    if (cell === undefined) throw new RangeError(`the plan has no cell "${addressKey(address)}"`);
    return cell;
  };
  const finishNow = async <R>(cell: PlannedCell<Address>, here: FinishHere<Spec, R>) => {
    throwIfAborted(signal);
    const onProgress = tracker.begin(cell);
    const elsewhere = await computeElsewhere(pool, cell, onProgress);
    const progress = { update: (_what: string, done: number) => onProgress(done), note: () => {} };
    const finished = await here({ spec, out, run: { ...run, progress } });
    return { result: finished.result, computed: finished.computed || elsewhere };
  };

  return {
    finish(address, here, tell) {
      const cell = cellAt(address);
      return queue.add(cell.position, async () => {
        const { result, computed } = await finishNow(cell, here);
        tracker.end(cell, tell(result), computed);
        return result;
      });
    },
    attempt(address, here, tell) {
      const cell = cellAt(address);
      return queue.add(cell.position, async () => {
        try {
          const { result, computed } = await finishNow(cell, here);
          tracker.end(cell, tell({ result }), computed);
          return { result };
        } catch (thrown) {
          const error = thrown instanceof Error ? thrown : new Error(String(thrown));
          if (stopsAll(error)) throw error;
          tracker.end(cell, tell({ error }), true);
          return { error };
        }
      });
    },
    async dismiss() {
      signal?.removeEventListener("abort", stop);
      await pool?.close();
    },
  };
}

function stopsAll(error: Error): boolean {
  return error instanceof WildmarkError && (error.code === "interrupted" || error.code === "cannot-write");
}

/** Threads of one cell: one unless more are asked for, so that results do not depend on how many cells run side by side. */
export function cellThreads(runtime: RuntimeOptions = {}): number {
  return runtime.threads ?? threadsFromEnvironment() ?? 1;
}

/** Whether another thread had to compute the cell; false where there are no other threads. */
async function computeElsewhere(
  pool: CellPool | undefined,
  cell: PlannedCell<unknown>,
  onProgress: (done: number) => void,
): Promise<boolean> {
  return pool === undefined ? false : pool.compute(cell.position, onProgress);
}

/** Adds up the steps of all cells, those under way included. */
function trackProgress(plan: readonly PlannedCell<unknown>[], progress: Progress) {
  const total = plan.reduce((sum, { steps }) => sum + steps, 0);
  const underWay = new Map<PlannedCell<unknown>, number>();
  let finishedSteps = 0;
  let finishedCells = 0;

  const show = (): void => {
    const names = [...underWay.keys()].map(({ what }) => what);
    const done = [...underWay.values()].reduce((sum, steps) => sum + steps, finishedSteps);
    progress.update(`[${finishedCells}/${plan.length}] ${names.join(", ")}`, done, total);
  };
  return {
    /** @returns what tells of the cell's own progress. */
    begin(cell: PlannedCell<unknown>): (done: number) => void {
      underWay.set(cell, 0);
      return (done) => {
        underWay.set(cell, Math.min(done, cell.steps));
        show();
      };
    },
    end(cell: PlannedCell<unknown>, line: string, computed: boolean): void {
      underWay.delete(cell);
      finishedSteps += cell.steps;
      finishedCells += 1;
      progress.note(`[${finishedCells}/${plan.length}] ${line}${computed ? "" : " (found finished)"}`);
    },
  };
}
