/**
 * @file The one rule by which an attack is judged: is the mark still shown, and was the price acceptable?
 *
 * Verdicts are the key's; prices are differences of accuracy on the test set.
 */

import type { Verdict } from "../ownership/verdict.js";

/**
 * What became of a mark:
 *
 * - `removed`: not shown any more, at an acceptable drop of accuracy;
 * - `costly`: not shown any more, but the drop is larger than that;
 * - `shown`: the mark stands;
 * - `never-shown`: the marked model did not show it before any attack either, so nothing was there to remove.
 */
export const outcomes = ["removed", "costly", "shown", "never-shown"] as const;
export type Outcome = (typeof outcomes)[number];

export interface Decision {
  /** Significance level of every verdict, in (0, 1). */
  readonly alpha: number;
  /** The largest drop of accuracy that an attacker would pay, a difference of shares; null: any. */
  readonly acceptableDrop: number | null;
}

/** @param drop accuracy of the marked model minus that of the cleaned one */
export function outcomeOf(
  { shownBefore, shown, drop }: { readonly shownBefore: boolean; readonly shown: boolean; readonly drop: number },
  decision: Pick<Decision, "acceptableDrop">,
): Outcome {
  if (!shownBefore) return "never-shown";
  if (shown) return "shown";
  return withinPrice(drop, decision) ? "removed" : "costly";
}

/** A difference of two shares carries the rounding of both: two points are two points. */
export function withinPrice(drop: number, { acceptableDrop }: Pick<Decision, "acceptableDrop">): boolean {
  return acceptableDrop === null || drop <= acceptableDrop + 1e-9;
}

/** A verdict without its prose. */
export function inBrief({ owned, n, matches, interval, pValue, decidedBy, tests }: Verdict) {
  const brief = tests.map((test) => ({ id: test.id, pValue: test.pValue }));
  return { owned, n, matches, interval, pValue, decidedBy, tests: brief };
}
