/**
 * @file Who computes the cells of an experiment: this thread, or several side by side. Tells how far the whole is.
 */

import { silent } from "../core/progress.js";
import { type RuntimeOptions, threadsFromEnvironment } from "../runtime/session.js";
import { throwIfAborted } from "../training/epochs.js";
import { type CellPool, openCellPool } from "./cell-pool.js";
import type { Workshop } from "./finish-cells.js";
import { addressKey, type CellAddress, type PlannedCell, planCells } from "./plan.js";
import { workQueue } from "./queue.js";
import type { ReproduceOptions, ReproduceSpec } from "./reproduce.js";
import type { FinishedCell } from "./store.js";

export interface Crew {
  /**
   * Finishes the addressed cell as soon as there is room, earlier cells of the plan first.
   *
   * @param here finishes it in this thread, or reads what another thread has finished
   * @param tell what is said of the result
   */
  finish<R>(
    address: CellAddress,
    here: (workshop: Workshop) => Promise<FinishedCell<R>>,
    tell: (result: R) => string,
  ): Promise<R>;
  dismiss(): Promise<void>;
}

export function openCrew(spec: ReproduceSpec, options: ReproduceOptions): Crew {
  const { out, jobs = 1, command: _, ...given } = options;
  const run = { ...given, runtime: { ...given.runtime, threads: cellThreads(given.runtime) } };
  const plan = planCells(spec);
  const cells = new Map(plan.map((cell) => [addressKey(cell.address), cell]));
  const queue = workQueue(jobs);
  const tracker = trackProgress(plan, run.progress ?? silent);
  const pool = jobs > 1 ? openCellPool(spec, out, jobs, run.runtime) : undefined;
  const stop = (): void => pool?.stop();
  run.signal?.addEventListener("abort", stop, { once: true });

  return {
    finish(address, here, tell) {
      const cell = cells.get(addressKey(address));
      if (cell === undefined) throw new RangeError(`the plan has no cell "${addressKey(address)}"`);
      return queue.add(cell.position, async () => {
        throwIfAborted(run.signal);
        const onProgress = tracker.begin(cell);
        const elsewhere = await computeElsewhere(pool, cell, onProgress);
        const progress = { update: (_what: string, done: number) => onProgress(done), note: () => {} };
        const finished = await here({ spec, out, run: { ...run, progress } });
        tracker.end(cell, tell(finished.result), finished.computed || elsewhere);
        return finished.result;
      });
    },
    async dismiss() {
      run.signal?.removeEventListener("abort", stop);
      await pool?.close();
    },
  };
}

/** Threads of one cell: one unless more are asked for, so that results do not depend on how many cells run side by side. */
export function cellThreads(runtime: RuntimeOptions = {}): number {
  return runtime.threads ?? threadsFromEnvironment() ?? 1;
}

/** Whether another thread had to compute the cell; false where there are no other threads. */
async function computeElsewhere(
  pool: CellPool | undefined,
  cell: PlannedCell,
  onProgress: (done: number) => void,
): Promise<boolean> {
  return pool === undefined ? false : pool.compute(cell, onProgress);
}

/** Adds up the steps of all cells, those under way included. */
function trackProgress(plan: readonly PlannedCell[], progress: NonNullable<ReproduceOptions["progress"]>) {
  const total = plan.reduce((sum, { steps }) => sum + steps, 0);
  const underWay = new Map<PlannedCell, number>();
  let finishedSteps = 0;
  let finishedCells = 0;

  const show = (): void => {
    const names = [...underWay.keys()].map(({ what }) => what);
    const done = [...underWay.values()].reduce((sum, steps) => sum + steps, finishedSteps);
    progress.update(`[${finishedCells}/${plan.length}] ${names.join(", ")}`, done, total);
  };
  return {
    /** @returns what tells of the cell's own progress. */
    begin(cell: PlannedCell): (done: number) => void {
      underWay.set(cell, 0);
      return (done) => {
        underWay.set(cell, Math.min(done, cell.steps));
        show();
      };
    },
    end(cell: PlannedCell, line: string, computed: boolean): void {
      underWay.delete(cell);
      finishedSteps += cell.steps;
      finishedCells += 1;
      progress.note(`[${finishedCells}/${plan.length}] ${line}${computed ? "" : " (found finished)"}`);
    },
  };
}
