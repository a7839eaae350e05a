/**
 * @file Computes the cells of an experiment: in this process, or several side by side in others; what stands on others
 * after them. Tells how far the whole is.
 */

import { WildmarkError } from "../core/errors.js";
import { type Progress, silent } from "../core/progress.js";
import { type RuntimeOptions, threadsFromEnvironment } from "../runtime/options.js";
import { throwIfAborted } from "../training/epochs.js";
import { type CellPool, openCellPool } from "./cell-pool.js";
import type { EndedCell } from "./cells.js";
import type { PackedSpec } from "./packed.js";
import type { PlannedCell } from "./plan.js";
import type { RunOptions } from "../tasks/run-options.js";
import { CellBusy } from "./store.js";
import { defined } from "../core/defined.js";

export interface CellsOptions extends RunOptions {
  /** The experiment's folder. */
  readonly out: string;
  /**
   * Cells computed side by side, each in a process of its own; default: one after the other in this process. Results do
   * not depend on it. It needs a spec whose architecture, marks and methods are those of the registries.
   */
  readonly jobs?: number;
}

/** What is to be computed. */
export interface CellWork {
  readonly plan: readonly PlannedCell[];
  /** Finishes a cell in this process. */
  readonly finish: (cell: PlannedCell, run: RunOptions) => Promise<EndedCell>;
  /** The spec for other processes. */
  readonly pack: () => PackedSpec;
}

/** Which cells, and who hears of those that fail. */
export interface Cells {
  /** Some of the plan, with all that they stand on; default: all. */
  readonly cells?: readonly PlannedCell[];
  /** Gets each cell that fails, as soon as it does. */
  readonly onFailure?: (cell: PlannedCell, error: Error) => Promise<void>;
}

/** How long a cell that another process computes is left alone before it is asked for again. */
const ASK_AGAIN_MS = 500;

/**
 * Finishes all cells, earlier ones of the plan first as far as what they stand on allows. Cells that other processes
 * are computing in the same folder are waited for, when there is nothing else left to do. A cell that fails lets those
 * go on that do not stand on it.
 *
 * @returns why each cell failed that did, by its position.
 * @throws WildmarkError `interrupted`, `cannot-write`: what would stop them all.
 */
export async function runCells(
  work: CellWork,
  options: CellsOptions,
  { cells = work.plan, onFailure }: Cells = {},
): Promise<ReadonlyMap<number, Error>> {
  const { runtime, signal, out, jobs } = options;
  const run = { runtime: cellRuntime(runtime), ...defined({ signal }) };
  const pool = jobs === undefined ? undefined : openCellPool({ spec: work.pack(), out, runtime: run.runtime }, jobs);
  const tracker = trackProgress(cells, options.progress ?? silent);
  const waiting = new Map(cells.map((cell) => [cell.position, cell]));
  const askAgainAt = new Map<number, number>();
  const running = new Set<number>();
  const failures = new Map<number, Error>();
  const bell = makeBell();
  let stopped: { readonly error: unknown } | undefined;

  const stop = (): void => pool?.stop();
  signal?.addEventListener("abort", stop, { once: true });

  const fail = async (cell: PlannedCell, error: Error): Promise<void> => {
    failures.set(cell.position, error);
    tracker.end(cell, `${cell.what}: failed: ${error.message}`, true);
    await onFailure?.(cell, error);
  };
  const compute = async (cell: PlannedCell): Promise<void> => {
    try {
      throwIfAborted(signal);
      const { line, computed } = await finish(work, pool, cell, run, tracker.begin(cell));
      tracker.end(cell, line, computed);
    } catch (thrown) {
      if (thrown instanceof CellBusy) {
        tracker.leave(cell);
        waiting.set(cell.position, cell);
        askAgainAt.set(cell.position, performance.now() + ASK_AGAIN_MS);
        return;
      }
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (stopsAll(error)) throw error;
      await fail(cell, error);
    }
  };
  /** The first cell that can be computed now. */
  const next = (): PlannedCell | undefined => {
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
        else await fail(cell, standsOn(work.plan[without]));
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

/**
 * Threads of one cell: one unless more are asked for, so that results do not depend on how many cells run side by side.
 */
export function cellThreads(runtime: RuntimeOptions = {}): number {
  return runtime.threads ?? threadsFromEnvironment() ?? 1;
}

/** How each cell computes. */
export function cellRuntime(runtime: RuntimeOptions = {}): RuntimeOptions {
  return { ...runtime, threads: cellThreads(runtime) };
}

function finish(
  work: CellWork,
  pool: CellPool | undefined,
  cell: PlannedCell,
  run: RunOptions,
  onProgress: (done: number) => void,
): Promise<EndedCell> {
  if (pool !== undefined) return pool.compute(cell.address, onProgress);
  const progress = { update: (_what: string, done: number) => onProgress(done), note: () => {} };
  return work.finish(cell, { ...run, progress });
}

function stopsAll(error: Error): boolean {
  return error instanceof WildmarkError && (error.code === "interrupted" || error.code === "cannot-write");
}

function standsOn(other: PlannedCell | undefined): WildmarkError {
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

/**
 * Adds up the steps of all cells, those under way included; of those found finished nothing is to be learnt about time.
 */
function trackProgress(cells: readonly PlannedCell[], progress: Progress) {
  let total = cells.reduce((sum, { steps }) => sum + steps, 0);
  const underWay = new Map<PlannedCell, number>();
  let endedSteps = 0;
  let ended = 0;

  const show = (): void => {
    const names = [...underWay.keys()].map(({ what }) => what);
    const done = [...underWay.values()].reduce((sum, steps) => sum + steps, endedSteps);
    progress.update(`[${ended}/${cells.length}] ${names.join(", ")}`, done, total);
  };
  return {
    /** @returns what tells of the cell's own progress. */
    begin(cell: PlannedCell): (done: number) => void {
      underWay.set(cell, 0);
      return (done) => {
        if (!underWay.has(cell)) return;
        underWay.set(cell, Math.min(done, cell.steps));
        show();
      };
    },
    /** It is left as it was. */
    leave(cell: PlannedCell): void {
      underWay.delete(cell);
    },
    end(cell: PlannedCell, line: string, computed: boolean): void {
      underWay.delete(cell);
      if (computed) endedSteps += cell.steps;
      else total -= cell.steps;
      ended += 1;
      progress.note(`[${ended}/${cells.length}] ${line}${computed ? "" : " (found finished)"}`);
    },
  };
}
