/** @file The retention that ownership asks for, by the exact binomial test alone. */

import { binomialTail } from "../core/statistics.js";
import type { Rule } from "./figures/records.js";

/**
 * The fewest matches of n that a null model, right with probability `chance` on each trigger, would reach with
 * probability at most alpha. Undefined where even n matches would not be unlikely enough (few triggers, small alpha).
 *
 * With n = 100, chance = 1/10: 16 for alpha 0.05, 21 for 1e-3, 28 for 1e-6.
 */
export function matchesNeeded(n: number, chance: number, alpha: number): number | undefined {
  if (binomialTail(n, n, chance) > alpha) return undefined;
  // The tail falls as matches rise: keep `enough` sufficient and everything below `low` insufficient.
  let low = 0;
  let enough = n;
  while (low < enough) {
    const middle = Math.floor((low + enough) / 2);
    if (binomialTail(middle, n, chance) <= alpha) enough = middle;
    else low = middle + 1;
  }
  return enough;
}

/** The same of a verdict, as figures draw it; undefined where no retention would do. */
export function ruleOf({ n, alpha }: { readonly n: number; readonly alpha: number }, chance: number): Rule | undefined {
  const matches = matchesNeeded(n, chance, alpha);
  return matches === undefined ? undefined : { share: matches / n, label: `${matches} of ${n} needed` };
}
