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
  switch (outcome) {
    case "removed":
      return `removed${of(gone)}`;
    case "sometimes":
      return `removed in${of(removed)}`;
    case "costly":
      return `removed${of(gone)}, too dear`;
    case "pointless":
      return `removed${of(gone)}, no gain`;
    case "survives":
      return "survives";
    case "untried":
      return "not tried";
    case "never-shown":
      return "not shown, nor before";
  }
}

/** What an outcome means. */
export function outcomeMeaning(outcome: ConditionOutcome, { document: { decision, seeds } }: Findings): string {
  const { acceptableDrop } = decision;
  const limit = acceptableDrop === null ? undefined : pointsWithUnit(acceptableDrop, 0);
  const all = seeds.length > 1 ? " in every seed" : "";
  switch (outcome) {
    case "removed":
      return `mark no longer shown${all}${limit === undefined ? "" : `, at most ${limit} of accuracy lost`}`;
    case "sometimes":
      return "the same, in some of the seeds";
    case "costly":
      return `mark no longer shown, but more than ${limit ?? "nothing"} lost`;
    case "pointless":
      return "mark no longer shown, but training from scratch on the same data is more accurate: no attack";
    case "survives":
      return "mark still shown";
    case "untried":
      return "could not be tried, or failed";
    case "never-shown":
      return "mark not shown before any attack either";
  }
}
