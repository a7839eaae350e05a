/** @file A made-up audit for tests of its report: valid, and its numbers were never measured. */

import { clopperPearson } from "../../core/statistics.js";
import { type AuditResult, auditSchema } from "../../experiments/audit-result.js";
import { sampleResult } from "./sample.js";

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

const TITLES = ["WILD-JS", "Fine-tuning (FTAL)", "Fine-tuning (RTAL)", "From scratch"];

/** @param back matches after re-activation of every removal; absent: not tried. */
export function sampleAudit(cells: SampleCells = FALLS, seeds: readonly number[] = [0], back?: number): AuditResult {
  const { data, software, machine, started, finished, seconds } = sampleResult({ marks: ["content"] });
  const budgets = [0.01, 0.05];
  const measured = (accuracy: number, matches: number) => ({ accuracy, retention: matches / 100 });
  const before = { measured: measured(0.99, 100), verdict: verdict(100) };
  return auditSchema.parse({
    format: "wildmark-result",
    version: 1,
    kind: "audit",
    title: "The content mark of marked.onnx",
    command: "wildmark audit marked.onnx --key mark.safetensors --dataset mnist",
    ...{ data, software, machine, started, finished, seconds },
    model: { name: "marked.onnx", sha256: "a".repeat(64), parameters: 61706 },
    key: {
      name: "mark.safetensors",
      sha256: "b".repeat(64),
      scheme: "content",
      triggers: 100,
      heldOutTriggers: 0,
      madeForThisModel: true,
    },
    before,
    alpha: 0.05,
    acceptableDrop: 0.02,
    reactivation: back === undefined ? null : { steps: 200, batch: 64, learningRate: 0.01 },
    budgets,
    seeds,
    attacks: TITLES.map((title, i) => ({
      method: title.toLowerCase(),
      title,
      summary: "What it does.",
      paper: "Where it is published.",
      control: i === 3,
      options: { epochs: 1 },
    })),
    cells: cells.flatMap((row, attack) =>
      row.flatMap((cell, b) =>
        seeds.map((seed) => {
          const which = { attack, fraction: budgets[b] ?? 0, seed };
          if (cell === undefined) return { status: "skipped", ...which, reason: "class 3 is left empty" };
          const [accuracy, matches] = cell;
          return {
            status: "done",
            ...which,
            images: 60000 * (budgets[b] ?? 0),
            epochs: [
              { epoch: 0, seconds: 0, measured: before.measured },
              { epoch: 1, seconds: 1, loss: 0.1, measured: measured(accuracy, matches) },
            ],
            measured: measured(accuracy, matches),
            verdict: verdict(matches),
            ...(back === undefined
              ? {}
              : { reactivated: { measured: measured(accuracy, back), verdict: verdict(back), seconds: 1 } }),
            seconds: 1,
            modelSha256: "c".repeat(64),
          };
        }),
      ),
    ),
  });
}

function verdict(matches: number) {
  const pValue = matches > 20 ? 1e-9 : 0.6;
  return {
    owned: pValue <= 0.05,
    n: 100,
    matches,
    retention: matches / 100,
    interval: [...clopperPearson(matches, 100)],
    confidence: 0.95,
    alpha: 0.05,
    tests: [
      { id: "binomial", title: "exact binomial test", nullHypothesis: "luck", pValue, detail: `${matches} of 100` },
    ],
    decidedBy: "binomial",
    pValue,
  };
}
