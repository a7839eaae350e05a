/** @file Outcomes of conditions as signs and words: they differ in sign, word and hue. */

import { pointsWithUnit } from "../format.js";
import type { Condition, ConditionOutcome } from "../findings/conditions.js";
import type { Findings } from "../findings/findings.js";

export const outcomeSigns: Readonly<Record<ConditionOutcome, string>> = {
  removed: "✕",
  sometimes: "◐",
  costly: "△",
  pointless: "▽",
  survives: "●",
  untried: "–",
  "never-shown": "○",
};

/** The outcome of a condition in a word or two. */
export function outcomeWords({ outcome, gone, removed, runs }: Condition): string {
  const of = (n: number): string => (runs.length > 1 ? ` ${n} of ${runs.length}` : "");
  const words: Readonly<Record<ConditionOutcome, string>> = {
    removed: `removed${of(gone)}`,
    sometimes: `removed in${of(removed)}`,
    costly: `removed${of(gone)}, too dear`,
    pointless: `removed${of(gone)}, no gain`,
    survives: "survives",
    untried: "not tried",
    "never-shown": "not shown, nor before",
  };
  return words[outcome];
}

/** What an outcome means. */
export function outcomeMeaning(outcome: ConditionOutcome, { document: { decision, seeds } }: Findings): string {
  const { acceptableDrop } = decision;
  const limit = acceptableDrop === null ? undefined : pointsWithUnit(acceptableDrop, 0);
  const within = limit === undefined ? "" : `, at most ${limit} of accuracy lost`;
  const meanings: Readonly<Record<ConditionOutcome, string>> = {
    removed: `mark no longer shown${seeds.length > 1 ? " in every seed" : ""}${within}`,
    sometimes: "the same, in some of the seeds",
    costly: `mark no longer shown, but more than ${limit ?? "nothing"} lost`,
    pointless: "mark no longer shown, but training from scratch on the same data is more accurate: no attack",
    survives: "mark still shown",
    untried: "could not be tried, or failed",
    "never-shown": "mark not shown before any attack either",
  };
  return meanings[outcome];
}
