/** @file A made-up bench for tests of its report: valid, and its numbers were never measured. */

import { randomStream } from "../../core/random.js";
import { clopperPearson } from "../../core/statistics.js";
import { type BenchResult, benchSchema } from "../../experiments/bench-result.js";
import { sampleResult } from "./sample.js";

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

export interface SampleBenchOptions {
  readonly cells?: SampleBench;
  readonly seeds?: readonly number[];
  readonly budgets?: readonly number[];
  /** Reactivation is part of it; true by default. */
  readonly reactivation?: boolean;
}

export function sampleBench(options: SampleBenchOptions = {}): BenchResult {
  const { cells = CONTENT_FALLS, seeds = [0, 1, 2, 3, 4], budgets = [0.01, 0.1], reactivation = true } = options;
  const { data, software, machine, started, finished, seconds } = sampleResult({ marks: ["content"] });
  const judged = (matches: number) => ({
    owned: matches > 20,
    n: 100,
    matches,
    interval: [...clopperPearson(matches, 100)],
    pValue: matches > 20 ? 1e-9 : 0.6,
    decidedBy: "binomial",
    tests: [{ id: "binomial", pValue: matches > 20 ? 1e-9 : 0.6 }],
  });
  const verdict = {
    ...judged(100),
    retention: 1,
    confidence: 0.95,
    alpha: 0.05,
    tests: [
      { id: "binomial", title: "exact binomial test", nullHypothesis: "luck", pValue: 1e-9, detail: "100 of 100" },
    ],
  };
  const before = { accuracy: 0.99, retention: 1 };
  return benchSchema.parse({
    format: "wildmark-result",
    version: 1,
    kind: "bench",
    title: "Marks and removers on MNIST",
    command: "wildmark bench mnist.yaml",
    ...{ data, software, machine, started, finished, seconds },
    complete: true,
    architecture: { id: "lenet5", title: "LeNet-5", parameters: 61706 },
    alpha: 0.05,
    acceptableDrop: 0.02,
    budgets,
    seeds,
    marks: MARKS.slice(0, cells.length).map((name) => ({
      ...{
        name,
        mark: name,
        summary: "What it looks like.",
        paper: "Where it is published.",
        options: { triggers: 100 },
      },
    })),
    removers: REMOVERS.map((name, i) => ({
      name,
      method: name.toLowerCase(),
      summary: "What it does.",
      paper: "Where it is published.",
      needs: i === 2 ? ["unlabelled"] : ["labelled"],
      control: i === 3,
      ignoresModel: i === 3,
      options: { epochs: 1 },
    })),
    training: { epochs: 8 },
    reactivation: reactivation ? {} : null,
    empiricalNull: false,
    unmarked: seeds.map((seed) => ({
      status: "done",
      seed,
      accuracy: 0.991,
      seconds: 20,
      modelSha256: "e".repeat(64),
    })),
    owners: cells.flatMap((_, mark) =>
      seeds.map((seed) => ({
        ...{ status: "done", mark, seed, triggers: 100, heldOutTriggers: 0, epochs: [], measured: before, verdict },
        ...{ modelSha256: "a".repeat(64), keySha256: "b".repeat(64), seconds: 21, innocents: [], pictures: [] },
      })),
    ),
    cells: cells.flatMap((row, mark) =>
      row.flatMap((cell, remover) =>
        budgets.flatMap((fraction, b) =>
          seeds.map((seed) => {
            const which = { mark, remover, fraction, seed };
            if (cell === undefined) return { status: "missing", ...which };
            const random = randomStream(seed, "sample", mark, remover, b);
            // Less data, less done.
            const less = (budgets.length - 1 - b) / budgets.length;
            const around = cell[0] + (1 - cell[0]) * less * 0.7 + 0.04 * (random.uniform() - 0.5);
            const matches = Math.round(100 * Math.min(1, Math.max(0, around)));
            const drop = cell[1] + 0.004 * random.uniform();
            const back = Math.min(100, matches + 3);
            const measured = { accuracy: before.accuracy - drop, retention: matches / 100 };
            return {
              status: "done",
              ...which,
              images: {
                labelled: remover === 2 ? 0 : 60000 * fraction,
                unlabelled: remover === 2 ? 60000 * fraction : 0,
              },
              measured,
              judgement: judged(matches),
              accuracyDrop: drop,
              outcome: matches > 20 ? "shown" : drop <= 0.02 ? "removed" : "costly",
              atChance: false,
              epochs: 1,
              seconds: 3 + remover + random.uniform(),
              modelSha256: "c".repeat(64),
              ...(reactivation
                ? {
                    reactivated: {
                      measured: { accuracy: measured.accuracy, retention: back / 100 },
                      judgement: judged(back),
                      seconds: 1,
                    },
                  }
                : {}),
            };
          }),
        ),
      ),
    ),
  });
}
