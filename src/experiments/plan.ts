/**
 * @file The cells of the paper's experiment as plain addresses, in the order in which one process would compute them.
 *
 * An address can be sent to another thread, which has the same spec and knows what the address means.
 */

import { nestedSubset } from "../data/subset.js";
import type { ReproduceSpec } from "./reproduce.js";

export type CellAddress =
  | { readonly kind: "unmarked"; readonly seed: number }
  | { readonly kind: "marked"; readonly seed: number; readonly mark: number }
  | { readonly kind: "innocent"; readonly seed: number; readonly mark: number }
  | { readonly kind: "removal"; readonly seed: number; readonly mark: number; readonly removal: number };

export interface PlannedCell<Address = CellAddress> {
  readonly address: Address;
  /** Position in the order of the plan, from 0. */
  readonly position: number;
  /** What people call the work. */
  readonly what: string;
  /** Training steps that it takes, to tell how far the whole is. */
  readonly steps: number;
}

/** All cells of the experiment; `mark` and `removal` are positions in the spec's lists. */
export function planCells(spec: ReproduceSpec): PlannedCell[] {
  const { dataset, marks, removals, seeds, training, fraction } = spec;
  const trainingSteps = training.epochs * Math.ceil(dataset.train.count / training.batch);
  const cells: Omit<PlannedCell, "position">[] = [];
  for (const seed of seeds) {
    const images = nestedSubset(dataset.train.labels, dataset.train.classes, fraction, seed).length;
    cells.push({ address: { kind: "unmarked", seed }, what: "train without a mark", steps: trainingSteps });
    marks.forEach(({ id }, mark) => {
      cells.push({ address: { kind: "marked", seed, mark }, what: `embed the ${id} mark`, steps: trainingSteps });
      cells.push({ address: { kind: "innocent", seed, mark }, what: `try the ${id} key on no mark`, steps: 0 });
      removals.forEach(({ label, steps: stepsOf }, removal) => {
        const steps = stepsOf(images);
        const what = `${label} against the ${id} mark`;
        cells.push({ address: { kind: "removal", seed, mark, removal }, what, steps });
      });
    });
  }
  return cells.map((cell, position) => ({ ...cell, position }));
}

/** "removal 0 1 2": tells addresses apart. */
export function addressKey(address: object): string {
  return Object.values(address).join(" ");
}
