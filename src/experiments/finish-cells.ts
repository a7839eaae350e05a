/**
 * @file Finishes cells in the folder of an experiment. A cell that stands on others finds them finished, or finishes them
 * first, so that any one cell can be asked for by itself.
 */

import { join } from "node:path";
import { innocentCell, markedCell, removalCell, unmarkedCell } from "./cells.js";
import type { CellAddress } from "./plan.js";
import type { ReproduceSpec } from "./reproduce.js";
import type { RunOptions } from "./run-options.js";
import { type FinishedCell, finishCell } from "./store.js";

/** Which experiment, where it is kept, how it runs. */
export interface Workshop<Spec = ReproduceSpec> {
  readonly spec: Spec;
  /** The experiment's folder. */
  readonly out: string;
  readonly run: RunOptions;
}

export function finishUnmarked({ spec, out, run }: Workshop, seed: number) {
  return finishCell(cellFolder(out), unmarkedCell(spec, seed, run));
}

/** @param mark position in the spec's list. */
export function finishMarked({ spec, out, run }: Workshop, seed: number, mark: number) {
  return finishCell(cellFolder(out), markedCell(spec, at(spec.marks, mark), seed, run));
}

export async function finishInnocent(workshop: Workshop, seed: number, mark: number) {
  const { spec, out, run } = workshop;
  const suspect = await finishUnmarked(workshop, seed);
  const owner = await finishMarked(workshop, seed, mark);
  const cell = innocentCell(spec, at(spec.marks, mark), seed, suspect, owner, run);
  return finishCell(cellFolder(out), cell);
}

/** @param removal position in the spec's list. */
export async function finishRemoval(workshop: Workshop, seed: number, mark: number, removal: number) {
  const { spec, out, run } = workshop;
  const owner = await finishMarked(workshop, seed, mark);
  const cell = removalCell(spec, at(spec.marks, mark), at(spec.removals, removal), seed, owner, run);
  return finishCell(cellFolder(out), cell);
}

/** The cell that an address names. */
export function finishAddressed(workshop: Workshop, address: CellAddress): Promise<FinishedCell<unknown>> {
  switch (address.kind) {
    case "unmarked":
      return finishUnmarked(workshop, address.seed);
    case "marked":
      return finishMarked(workshop, address.seed, address.mark);
    case "innocent":
      return finishInnocent(workshop, address.seed, address.mark);
    case "removal":
      return finishRemoval(workshop, address.seed, address.mark, address.removal);
  }
}

export function cellFolder(out: string): string {
  return join(out, "cells");
}

function at<T>(items: readonly T[], position: number): T {
  const item = items[position];
  if (item === undefined) throw new RangeError(`the spec has no entry ${position}`);
  return item;
}
