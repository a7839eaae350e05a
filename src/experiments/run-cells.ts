/**
 * @file Computes the cells of an experiment: in this process, or several side by side in others; what stands on others after
 * them. Tells how far the whole is.
 */

import { WildmarkError } from "../core/errors.js";
import { type Progress, silent } from "../core/progress.js";
import { type RuntimeOptions, threadsFromEnvironment } from "../runtime/options.js";
import { throwIfAborted } from "../training/epochs.js";
import { type CellPool, openCellPool } from "./cell-pool.js";
import type { EndedCell, Experiment } from "./experiment.js";
import type { PlannedWork } from "./plan.js";
import type { RunOptions } from "../tasks/run-options.js";
import { CellBusy } from "./store.js";

export interface CellsOptions extends RunOptions {
  /** The experiment's folder. */
  readonly out: string;
  /**
   * Cells computed side by side, each in a process of its own; default: one after the other in this process. Results do
   * not depend on it. It needs a spec whose architecture, marks and methods are those of the registries.
   */
  readonly jobs?: number;
}

/** Which cells, and what becomes of the others where one fails. */
export interface Cells {
  /** Some of the plan, with all that they stand on; default: all. */
  readonly cells?: readonly PlannedWork[];
  /**
   * Whether a cell that fails lets those go on that do not stand on it. What would stop them all (an interruption, a full
   * disk) does so anyway.
   */
  readonly goOn: boolean;
  /** Gets each cell that fails, as soon as it does. */
  readonly onFailure?: (cell: PlannedWork, error: Error) => Promise<void>;
}

/** How long a cell that another process computes is left alone before it is asked for again. */
const ASK_AGAIN_MS = 500;

/**
 * Finishes all cells, earlier ones of the plan first as far as what they stand on allows. Cells that other processes are
 * computing in the same folder are waited for, when there is nothing else left to do.
 *
 * @returns why each cell failed that did, by its position; empty unless `goOn`.
 * @throws what a cell failed of, unless `goOn`; `interrupted` and `cannot-write` in any case.
 */
export async function runCells(
  experiment: Experiment,
  options: CellsOptions,
  { cells = experiment.plan, goOn, onFailure }: Cells,
): Promise<ReadonlyMap<number, Error>> {
  const { runtime, signal, out, jobs } = options;
  const run = { runtime: cellRuntime(runtime), ...(signal === undefined ? {} : { signal }) };
  const pool =
    jobs === undefined ? undefined : openCellPool({ experiment: experiment.pack(), out, runtime: run.runtime }, jobs);
  const tracker = trackProgress(cells, options.progress ?? silent);
  const waiting = new Map(cells.map((cell) => [cell.position, cell]));
  const askAgainAt = new Map<number, number>();
  const running = new Set<number>();
  const failures = new Map<number, Error>();
  const bell = makeBell();
  let stopped: { readonly error: unknown } | undefined;

  const stop = (): void => pool?.stop();
  signal?.addEventListener("abort", stop, { once: true });

  const fail = async (cell: PlannedWork, error: Error): Promise<void> => {
    failures.set(cell.position, error);
    tracker.end(cell, `${cell.what}: failed: ${error.message}`, true);
    await onFailure?.(cell, error);
  };
  const compute = async (cell: PlannedWork): Promise<void> => {
    try {
      throwIfAborted(signal);
      const { line, computed } = await finish(experiment, pool, cell, { out, ...run }, tracker.begin(cell));
      tracker.end(cell, line, computed);
    } catch (thrown) {
      if (thrown instanceof CellBusy) {
        tracker.leave(cell);
        waiting.set(cell.position, cell);
        askAgainAt.set(cell.position, performance.now() + ASK_AGAIN_MS);
        return;
      }
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (!goOn || stopsAll(error)) throw error;
      await fail(cell, error);
    }
  };
  /** The first cell that can be computed now. */
  const next = (): PlannedWork | undefined => {
    const now = performance.now();
    for (const cell of waiting.values()) {
      const stands = cell.needs.some((need) => waiting.has(need) || running.has(need));
      if (!stands && now >= (askAgainAt.get(cell.position) ?? 0)) return cell;
    }
    return undefined;
  };
  const lane = async (): Promise<void> => {
    while (waiting.size > 0 && stopped === undefined) {
      const cell = next();
      if (cell === undefined) {
        await bell.rung(ASK_AGAIN_MS);
        continue;
      }
      waiting.delete(cell.position);
      running.add(cell.position);
      try {
        const without = cell.needs.find((need) => failures.has(need));
        if (without === undefined) await compute(cell);
        else await fail(cell, standsOn(experiment.plan[without]));
      } catch (error) {
        stopped ??= { error };
        stop();
      } finally {
        running.delete(cell.position);
        bell.ring();
      }
    }
  };

  try {
    await Promise.all(Array.from({ length: jobs ?? 1 }, lane));
  } finally {
    signal?.removeEventListener("abort", stop);
    await pool?.close();
  }
  if (stopped !== undefined) throw stopped.error;
  return failures;
}

/** Threads of one cell: one unless more are asked for, so that results do not depend on how many cells run side by side. */
export function cellThreads(runtime: RuntimeOptions = {}): number {
  return runtime.threads ?? threadsFromEnvironment() ?? 1;
}

/** How each cell computes. */
export function cellRuntime(runtime: RuntimeOptions = {}): RuntimeOptions {
  return { ...runtime, threads: cellThreads(runtime) };
}

function finish(
  experiment: Experiment,
  pool: CellPool | undefined,
  { position }: PlannedWork,
  { out, ...run }: RunOptions & { readonly out: string },
  onProgress: (done: number) => void,
): Promise<EndedCell> {
  if (pool !== undefined) return pool.compute(position, onProgress);
  const progress = { update: (_what: string, done: number) => onProgress(done), note: () => {} };
  return experiment.finishAt(position, out, { ...run, progress });
}

function stopsAll(error: Error): boolean {
  return error instanceof WildmarkError && (error.code === "interrupted" || error.code === "cannot-write");
}

function standsOn(other: PlannedWork | undefined): WildmarkError {
  return new WildmarkError("runtime", `it stands on another cell that failed (${other?.what ?? "unknown"})`);
}

/** Something to wait for that may happen any number of times. */
function makeBell() {
  let waiting: (() => void)[] = [];
  return {
    ring(): void {
      for (const wake of waiting.splice(0)) wake();
    },
    /** Resolves when it rings next, at the latest after so long. */
    rung: (atMostMs: number): Promise<void> =>
      new Promise((resolve) => {
        const timer = setTimeout(() => wake(), atMostMs);
        const wake = (): void => {
          clearTimeout(timer);
          waiting = waiting.filter((other) => other !== wake);
          resolve();
        };
        waiting.push(wake);
      }),
  };
}

/** Adds up the steps of all cells, those under way included; of those found finished nothing is to be learnt about time. */
function trackProgress(cells: readonly PlannedWork[], progress: Progress) {
  let total = cells.reduce((sum, { steps }) => sum + steps, 0);
  const underWay = new Map<PlannedWork, number>();
  let endedSteps = 0;
  let ended = 0;

  const show = (): void => {
    const names = [...underWay.keys()].map(({ what }) => what);
    const done = [...underWay.values()].reduce((sum, steps) => sum + steps, endedSteps);
    progress.update(`[${ended}/${cells.length}] ${names.join(", ")}`, done, total);
  };
  return {
    /** @returns what tells of the cell's own progress. */
    begin(cell: PlannedWork): (done: number) => void {
      underWay.set(cell, 0);
      return (done) => {
        if (!underWay.has(cell)) return;
        underWay.set(cell, Math.min(done, cell.steps));
        show();
      };
    },
    /** It is left as it was. */
    leave(cell: PlannedWork): void {
      underWay.delete(cell);
    },
    end(cell: PlannedWork, line: string, computed: boolean): void {
      underWay.delete(cell);
      if (computed) endedSteps += cell.steps;
      else total -= cell.steps;
      ended += 1;
      progress.note(`[${ended}/${cells.length}] ${line}${computed ? "" : " (found finished)"}`);
    },
  };
}
