/**
 * @file How seldom clean models measure as much as a suspect: by one detector, and by several together.
 *
 * The suspect and N clean models are N + 1 models that are exchangeable if the suspect is clean too. Then the rank of
 * any score that treats them all alike is a p-value, exact for any N, and never below 1 / (N + 1). Nothing is assumed of
 * how detectors depend on each other. All of this but the ranks of published values is ours:
 *
 * - Some class stands out in every model, and it is often the same: 8 is what a network for digits takes most images of
 *   noise for. So each class's number is held against that class's in all N + 1 models, in median absolute deviations
 *   (times 1.4826) from their median, and the score is by how much the first class is ahead of the second. What moves
 *   all classes alike, such as a longer training, does not count.
 * - Several detectors are several tries. Their ranks are added up to one score (Fisher's −Σ log p, with each p a rank
 *   among all N + 1), and that is ranked once.
 */

import { rankPValue } from "../core/statistics.js";
import { mean, median } from "../core/summary.js";
import type { Statistic } from "./detector.js";
import { largest } from "./outliers.js";

/** What a detector measured on a model, without a target. */
export type Measurement = Pick<Statistic, "value" | "classes">;

/** By one detector, uncorrected for others. */
export interface DetectorRank {
  /** Of the published value among those of the clean models. */
  readonly published: number;
  /** Of the lead of a class, each class held against itself in all models. */
  readonly byClass: number;
  /** How much that lead is, in deviations. */
  readonly lead: number;
  /** The class that leads. */
  readonly target: number;
}

export interface Ranked {
  readonly each: readonly DetectorRank[];
  /** By the leads of all detectors together; one try. */
  readonly together: number;
  /** −Σ log p over the detectors, each p among all N + 1: what `together` is the rank of. */
  readonly score: number;
  /** The class that the rarest leads name: each detector speaks for its own with −log p. */
  readonly target: number;
}

/**
 * @param own one measurement a detector.
 * @param clean for each detector those of the clean models, in the same order of models.
 */
export function ranked(own: readonly Measurement[], clean: readonly (readonly Measurement[])[]): Ranked {
  const models = clean[0]?.length ?? 0;
  if (clean.length !== own.length || clean.some((measured) => measured.length !== models)) {
    throw new RangeError("each detector needs a measurement of each clean model");
  }
  const scores = new Array<number>(models + 1).fill(0);
  const votes = new Map<number, number>();
  const each = own.map((measured, d): DetectorRank => {
    const others = clean[d] ?? [];
    const leads = leadsOf([measured, ...others].map(({ classes }) => classes));
    const values = leads.map(({ lead }) => lead);
    const ps = values.map((lead) => values.filter((other) => other >= lead).length / values.length);
    ps.forEach((p, i) => {
      scores[i] = (scores[i] ?? 0) - Math.log(p);
    });
    const { lead = 0, target = 0 } = leads[0] ?? {};
    const byClass = ps[0] ?? 1;
    votes.set(target, (votes.get(target) ?? 0) - Math.log(byClass));
    const published = rankPValue(
      measured.value,
      others.map(({ value }) => value),
    );
    return { published, byClass, lead, target };
  });
  const [score = 0, ...others] = scores.map((value) => Number(value.toFixed(PLACES)));
  const [target] = [...votes].toSorted((a, b) => b[1] - a[1])[0] ?? [0];
  return { each, together: rankPValue(score, others), score, target };
}

/** Sums of the same logarithms in another order are equal. */
const PLACES = 9;

/** Of the deviation over all classes: a class that hardly moves is not held to its own. */
const LEAST_SHARE = 0.1;

/** Makes the median absolute deviation of normally distributed numbers their standard deviation. */
const CONSISTENT = 1.4826;

/** Of each model, given all: [models][classes]. */
export function leadsOf(
  all: readonly (readonly number[])[],
): readonly { readonly lead: number; readonly target: number }[] {
  const classes = Math.min(...all.map((each) => each.length));
  const columns = Array.from({ length: classes }, (_, label) => all.map((each) => each[label] ?? 0));
  const middles = columns.map(median);
  const apart = columns.map((column, label) => column.map((value) => value - (middles[label] ?? 0)));
  const everywhere = apart.flat();
  const average = mean(everywhere);
  const least = LEAST_SHARE * Math.sqrt(mean(everywhere.map((value) => (value - average) ** 2)));
  const spreads = apart.map((column) => Math.max(least, CONSISTENT * median(column.map(Math.abs))));
  return all.map((own) => {
    const distances = spreads.map((spread, label) =>
      spread > 0 ? ((own[label] ?? 0) - (middles[label] ?? 0)) / spread : 0,
    );
    const target = largest(distances);
    const second = Math.max(...distances.filter((_, label) => label !== target));
    return { lead: (distances[target] ?? 0) - second, target };
  });
}
