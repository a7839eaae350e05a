/** @file A made-up audit: its numbers were never measured. */

import type { ExperimentDocument } from "../../experiments/document.js";
import { sampleDocument } from "./sample.js";

/** Accuracy and matches of 100 by attack and budget; undefined where the cell was skipped. */
export type SampleCells = readonly (readonly (readonly [accuracy: number, matches: number] | undefined)[])[];

/** WILD-JS takes the mark at 5 %, fine-tuning never, and RTAL at 1 % for more than it is worth. */
export const FALLS: SampleCells = [
  [
    [0.97, 40],
    [0.985, 3],
  ],
  [
    [0.99, 98],
    [0.99, 95],
  ],
  [
    [0.95, 2],
    [0.96, 4],
  ],
  [
    [0.96, 1],
    [0.97, 0],
  ],
];

const REMOVERS = ["WILD-JS", "Fine-tuning (FTAL)", "Fine-tuning (RTAL)", "From scratch"];
const BUDGETS = [0.01, 0.05];

export interface SampleAuditOptions {
  readonly cells?: SampleCells;
  readonly seeds?: readonly number[];
  /** Retention after re-activation of every removal; absent: not tried. */
  readonly back?: number;
  readonly nullModels?: boolean;
  readonly before?: number;
}

export function sampleAudit(options: SampleAuditOptions = {}): ExperimentDocument {
  const { cells = FALLS, seeds = [0], back, nullModels = false, before = 1 } = options;
  const marked = { accuracy: 0.99, retention: before };
  return sampleDocument({
    statement: "audit",
    title: "The content mark of marked.onnx",
    command: "wildmark audit marked.onnx --key mark.safetensors --dataset mnist",
    subjects: [{ name: "marked.onnx", mark: "content", given: true }],
    removers: REMOVERS.slice(0, cells.length).map((name, i) => ({
      ...{ name, method: name.toLowerCase(), baseline: i > 0, ignoresModel: i === 3 },
    })),
    budgets: BUDGETS,
    seeds,
    reactivation: back !== undefined,
    before: () => marked,
    ...(nullModels && { onNullModel: () => ({ accuracy: 0.99, retention: 0.08 }) }),
    attack: ({ remover, fraction }) => {
      const cell = cells[REMOVERS.indexOf(remover)]?.[BUDGETS.indexOf(fraction)];
      if (cell === undefined) return "class 3 is left empty";
      const measured = { accuracy: cell[0], retention: cell[1] / 100 };
      const curve = [
        { epoch: 0, seconds: 0, measured: marked },
        { epoch: 1, seconds: 1, loss: 0.1, measured },
      ];
      return { measured, curve, ...(back !== undefined && { back }) };
    },
  });
}
