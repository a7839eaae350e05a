/**
 * @file Finishes cells in the folder of an experiment. A cell that stands on others finds them finished, or finishes them
 * first, so that any one cell can be asked for by itself.
 */

import { join } from "node:path";
import { innocentCell, markedCell, removalCell, unmarkedCell } from "./cells.js";
import type { EndedCell } from "./experiment.js";
import type { CellAddress } from "./plan.js";
import type { ReproduceSpec } from "./reproduce.js";
import type { Result, Verdict } from "./result.js";
import type { RunOptions } from "../tasks/run-options.js";
import { finishCell } from "./store.js";

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

/** The cell that an address names, and what is said of it. */
export async function finishAddressed(workshop: Workshop, address: CellAddress): Promise<EndedCell> {
  const { seed } = address;
  switch (address.kind) {
    case "unmarked": {
      const { result, computed } = await finishUnmarked(workshop, seed);
      return { line: `without a mark, seed ${seed}: accuracy ${percent(result.accuracy)}`, computed };
    }
    case "marked": {
      const { result, computed } = await finishMarked(workshop, seed, address.mark);
      return { line: `${result.mark} mark, seed ${seed}: ${describe(result)}`, computed };
    }
    case "innocent": {
      const { result, computed } = await finishInnocent(workshop, seed, address.mark);
      const { verdict, measured } = result;
      const line =
        `${workshop.spec.marks[address.mark]?.id} key, seed ${seed}, on the model without a mark: ${verdict.matches} of ` +
        `${verdict.n} answered, ${shown(verdict)}, retention ${percent(measured.retention)}`;
      return { line, computed };
    }
    case "removal": {
      const { result, computed } = await finishRemoval(workshop, seed, address.mark, address.removal);
      return { line: `${result.mark} mark, seed ${seed}, after ${result.title}: ${describe(result)}`, computed };
    }
  }
}

function describe({ measured, verdict }: Pick<Result["removals"][number], "measured" | "verdict">): string {
  return `accuracy ${percent(measured.accuracy)}, retention ${percent(measured.retention)}, ${shown(verdict)}`;
}

function shown({ owned }: Verdict): string {
  return owned ? "mark shown" : "mark not shown";
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function cellFolder(out: string): string {
  return join(out, "cells");
}

function at<T>(items: readonly T[], position: number): T {
  const item = items[position];
  if (item === undefined) throw new RangeError(`the spec has no entry ${position}`);
  return item;
}
