/**
 * @file The cells of the paper's experiment as plain addresses, in the order in which one process would compute them.
 *
 * An address can be sent to another process, which has the same spec and knows what the address means.
 */

import { nestedSubset } from "../data/subset.js";
import type { ReproduceSpec } from "./reproduce.js";

export type CellAddress =
  | { readonly kind: "unmarked"; readonly seed: number }
  | { readonly kind: "marked"; readonly seed: number; readonly mark: number }
  | { readonly kind: "innocent"; readonly seed: number; readonly mark: number }
  | { readonly kind: "removal"; readonly seed: number; readonly mark: number; readonly removal: number };

/** A cell to those who know nothing of the experiment that it belongs to. */
export interface PlannedWork {
  /** Position in the order of the plan, from 0. */
  readonly position: number;
  /** Positions of the cells that it stands on. */
  readonly needs: readonly number[];
  /** What people call the work. */
  readonly what: string;
  /** Training steps that it takes, to tell how far the whole is. */
  readonly steps: number;
}

export interface PlannedCell<Address = CellAddress> extends PlannedWork {
  readonly address: Address;
}

/** All cells of the experiment; `mark` and `removal` are positions in the spec's lists. */
export function planCells(spec: ReproduceSpec): PlannedCell[] {
  const { dataset, marks, removals, seeds, training, fraction } = spec;
  const trainingSteps = training.epochs * Math.ceil(dataset.train.count / training.batch);
  const cells: PlannedCell[] = [];
  const add = (address: CellAddress, what: string, steps: number, needs: readonly number[] = []): number =>
    cells.push({ address, position: cells.length, needs, what, steps }) - 1;
  for (const seed of seeds) {
    const images = nestedSubset(dataset.train.labels, dataset.train.classes, fraction, seed).length;
    const unmarked = add({ kind: "unmarked", seed }, "train without a mark", trainingSteps);
    marks.forEach(({ id }, mark) => {
      const marked = add({ kind: "marked", seed, mark }, `embed the ${id} mark`, trainingSteps);
      add({ kind: "innocent", seed, mark }, `try the ${id} key on no mark`, 0, [unmarked, marked]);
      removals.forEach(({ label, steps: stepsOf }, removal) => {
        const what = `${label} against the ${id} mark`;
        add({ kind: "removal", seed, mark, removal }, what, stepsOf({ images, classes: dataset.train.classes }), [
          marked,
        ]);
      });
    });
  }
  return cells;
}
