/** @file A made-up bench: its numbers were never measured. */

import { randomStream } from "../../core/random.js";
import type { ExperimentDocument } from "../../experiments/document.js";
import { sampleDocument } from "./sample.js";

/** Retention and accuracy drop that cells scatter around, by mark and remover; undefined where nothing was run. */
export type SampleBench = readonly (readonly (readonly [retention: number, drop: number] | undefined)[])[];

/** Content falls to both attacks, unrelated to none; distillation is too dear. */
export const CONTENT_FALLS: SampleBench = [
  [
    [0.02, 0.005],
    [0.05, 0.006],
    [0.01, 0.04],
    [0.01, 0.03],
  ],
  [
    [0.6, 0.006],
    [0.95, 0.005],
    [0.4, 0.05],
    [0.06, 0.03],
  ],
];

const MARKS = ["content", "unrelated"];
const REMOVERS = ["WILD-JS", "Fine-tuning (FTAL)", "Distillation", "From scratch"];
const BEFORE = { accuracy: 0.99, retention: 1 };

export interface SampleBenchOptions {
  readonly cells?: SampleBench;
  readonly seeds?: readonly number[];
  readonly budgets?: readonly number[];
  /** Re-activation is part of it; true by default. */
  readonly reactivation?: boolean;
  /** Models are given with their keys instead of made. */
  readonly given?: boolean;
}

export function sampleBench(options: SampleBenchOptions = {}): ExperimentDocument {
  const { cells = CONTENT_FALLS, seeds = [0, 1, 2, 3, 4], budgets = [0.01, 0.1], reactivation = true } = options;
  const { given = false } = options;
  return sampleDocument({
    statement: "bench",
    title: "Marks and removers on MNIST",
    command: "wildmark bench mnist.yaml",
    subjects: MARKS.slice(0, cells.length).map((name) => ({ name, mark: name, given })),
    removers: REMOVERS.map((name, i) => ({
      ...{ name, method: name.toLowerCase(), needs: i === 2 ? ["unlabelled"] : ["labelled"] },
      ...{ baseline: i === 3, ignoresModel: i === 3 },
    })),
    budgets,
    seeds,
    reactivation,
    before: () => BEFORE,
    attack: ({ subject, remover, fraction, seed }) => {
      const [mark, r, b] = [MARKS.indexOf(subject), REMOVERS.indexOf(remover), budgets.indexOf(fraction)];
      const cell = cells[mark]?.[r];
      if (cell === undefined) return "missing";
      const random = randomStream(seed, "sample", mark, r, b);
      // Less data, less done.
      const less = (budgets.length - 1 - b) / budgets.length;
      const around = cell[0] + (1 - cell[0]) * less * 0.7 + 0.04 * (random.uniform() - 0.5);
      const matches = Math.round(100 * Math.min(1, Math.max(0, around)));
      return {
        measured: { accuracy: BEFORE.accuracy - cell[1] - 0.004 * random.uniform(), retention: matches / 100 },
        seconds: 3 + r + random.uniform(),
        unlabelled: r === 2,
        ...(reactivation && { back: Math.min(100, matches + 3) / 100 }),
      };
    },
  });
}
