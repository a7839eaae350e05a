/**
 * @file What figures are drawn from: plain rows, one for each thing that was measured. Accuracies, retentions, drops
 * and budgets are shares; figures write them in percent.
 *
 * A mark is told by what its panel is called and a remover by its name, so rows come from any kind of document.
 */

/** What a row is about. */
export interface Subject {
  readonly mark: string;
  readonly remover: string;
  /** A yardstick that nobody proposes as a removal: dashed or hollow. */
  readonly baseline: boolean;
}

/** One model after an epoch of removal. */
export interface EpochRow extends Subject {
  readonly epoch: number;
  readonly accuracy: number;
  readonly retention: number;
}

/** What a removal cost and left: one run, or a mean over seeds. */
export interface PriceRow extends Subject {
  /** Accuracy of the marked model minus that of the cleaned one. */
  readonly drop: number;
  readonly retention: number;
}

/** A mean with its interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** One remover against one mark with one budget, over all seeds. */
export interface ConditionRow extends Subject {
  readonly budget: number;
  /** Absent where there is no finished run of a mark that was shown before. */
  readonly retention?: Interval;
  /** `removed`: in every seed not shown any more, for an acceptable price; `dear`: not shown, but in some for more. */
  readonly outcome: "removed" | "dear" | "other";
}

/** The least retention with which a mark is still shown, and what that is called. */
export interface Rule {
  readonly share: number;
  readonly label: string;
}
