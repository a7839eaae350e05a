/** @file What each remover achieves, what it costs and whether its work lasts, over all subjects and seeds. */

import { mean, median } from "../../core/summary.js";
import type { Condition } from "./conditions.js";

export interface Costs {
  readonly remover: number;
  readonly fraction: number;
  /** From how many of the marked models it removed the mark at an acceptable price. */
  readonly removed: number;
  /** On how many it was tried. */
  readonly tried: number;
  /** Absent if it was tried on none. */
  readonly found?: {
    readonly labelled: number;
    readonly unlabelled: number;
    /** Median time of the method, in seconds. */
    readonly seconds: number;
    /** Mean drop of accuracy, a difference of shares. */
    readonly drop: number;
  };
  /** Among models on which the mark was not shown any more and that were followed up: how many show it again. */
  readonly returned: number;
  readonly of: number;
}

/** @param conditions of one remover with one budget: one for each subject. */
export function costsOf(conditions: readonly Condition[], remover: number, fraction: number): Costs {
  const sum = (value: (condition: Condition) => number): number => conditions.reduce((n, c) => n + value(c), 0);
  const runs = conditions.flatMap((condition) => condition.runs);
  const [first] = runs;
  return {
    remover,
    fraction,
    removed: sum(({ removed }) => removed),
    tried: runs.length,
    ...(first && {
      found: {
        ...first.images,
        seconds: median(runs.map(({ seconds }) => seconds)),
        drop: mean(runs.map(({ accuracyDrop }) => accuracyDrop)),
      },
    }),
    returned: sum(({ returned }) => returned),
    of: sum(({ reactivated }) => reactivated),
  };
}
