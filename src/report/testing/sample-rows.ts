/** @file Made-up rows of a large bench, for tests of figures: seeded, plausible, and never measured. */

import { randomStream } from "../../core/random.js";
import type { ConditionRow, PriceRow } from "../figures/records.js";

export const MANY_MARKS = ["content", "unrelated", "adversarial parametric perturbation", "margin-based"];

export const MANY_REMOVERS = [
  ...["WILD-CE", "WILD-JS", "Fine-pruning", "NAD", "ANP", "FST", "REFIT", "WRK (ε 0.15)", "Fine-pruning, then WILD-JS"],
  ...["Fine-tuning (FTAL)", "Magnitude pruning (90 %)"],
];

/**
 * Fewer and fewer are left of each mark the more data there are; late removers leave more, baselines are the last two.
 */
export function manyConditions(budgets: readonly number[] = [0.01, 0.02, 0.05, 0.1]): readonly ConditionRow[] {
  return MANY_MARKS.flatMap((mark, m) =>
    MANY_REMOVERS.flatMap((remover, r) =>
      budgets.map((budget, b): ConditionRow => {
        const subject = { mark, remover, baseline: r >= MANY_REMOVERS.length - 2, budget };
        if (m === 3 && r === 4) return { ...subject, outcome: "other" };
        const left = Math.min(1, ((r + 1 + m) / 14) ** (b + 0.5) + 0.02 * randomStream(m, "rows", r, b).uniform());
        const outcome = left > 0.2 ? "other" : r % 4 === 3 ? "dear" : "removed";
        return { ...subject, outcome, retention: { mean: left, low: left * 0.9, high: left + (1 - left) * 0.1 } };
      }),
    ),
  );
}

/**
 * The same with the largest budget, and a price that rises as less is left; one remover leaves nothing of the model.
 */
export function manyPrices(): readonly PriceRow[] {
  return manyConditions([0.1]).flatMap(({ mark, remover, baseline, retention }) => {
    if (retention === undefined) return [];
    const drop = remover.startsWith("Magnitude") ? 0.36 : 0.012 * (1 - retention.mean) + 0.001 * remover.length;
    return [{ mark, remover, baseline, retention: retention.mean, drop }];
  });
}
