/**
 * @file How seldom clean models measure as much as a suspect: by one detector, and by several together.
 *
 * The suspect and N clean models are N + 1 models that are exchangeable if the suspect is clean too. Then the rank of
 * any score that treats them all alike is a p-value, exact for any N, and never below 1 / (N + 1). Several detectors are
 * several tries; so their ranks are added up to one score (Fisher's −Σ log p, with each p a rank among all N + 1), and
 * that is ranked once. Nothing is assumed of how detectors depend on each other.
 */

import { rankPValue } from "../core/statistics.js";

export interface Ranked {
  /** By each detector alone, uncorrected. */
  readonly each: readonly number[];
  /** By all together; one try. */
  readonly together: number;
  /** −Σ log p over the detectors, each p among all N + 1: what `together` is the rank of. */
  readonly score: number;
}

/**
 * @param own one value a detector.
 * @param clean for each detector the values of the clean models, in the same order of models.
 */
export function ranked(own: readonly number[], clean: readonly (readonly number[])[]): Ranked {
  const models = clean[0]?.length ?? 0;
  if (clean.length !== own.length || clean.some((values) => values.length !== models)) {
    throw new RangeError("each detector needs a value of each clean model");
  }
  const scores = new Array<number>(models + 1).fill(0);
  own.forEach((value, d) => {
    const all = [value, ...(clean[d] ?? [])];
    all.forEach((each, i) => {
      scores[i] = (scores[i] ?? 0) - Math.log(all.filter((other) => other >= each).length / all.length);
    });
  });
  const [score = 0, ...others] = scores.map((each) => Number(each.toFixed(PLACES)));
  return {
    each: own.map((value, d) => rankPValue(value, clean[d] ?? [])),
    together: rankPValue(score, others),
    score,
  };
}

/** Sums of the same logarithms in another order are equal. */
const PLACES = 9;
