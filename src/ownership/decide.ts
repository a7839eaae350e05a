/**
 * @file From single tests to the one p-value that is held against the level: the weakest evidence, after everything
 * that was tried has been paid for. Documents are checked by the same rule by which they were made.
 */

import type { OwnershipTest } from "./verdict.js";

/** What was tried before the answer came out as it did. */
export interface Tries {
  /** Binary logarithm of the secrets that a forger may have tried on the suspect. */
  readonly triesLog2: number;
  readonly keysTried: number;
  readonly readings: number;
  /** After how many triggers asking could have stopped: all numbers of them, where not all were asked. */
  readonly stops: number;
}

type SaidTries = { readonly [Name in keyof Tries]?: number | undefined };

/** What a verdict, or the document of one, says was tried. */
export function triesOf({ triesLog2 = 0, keysTried = 1, readings = 1, stops = 1 }: SaidTries): Tries {
  return { triesLog2, keysTried, readings, stops };
}

/** The p-value of a test with the secrets paid for, where trying them helps against it; may exceed 1. */
export function withSecrets({ pValue, paysTries }: OwnershipTest, triesLog2: number): number {
  if (paysTries !== true) return pValue;
  // Both may be beyond what a double holds: then nothing is known of the product.
  const paid = pValue * 2 ** triesLog2;
  return Number.isNaN(paid) ? 1 : paid;
}

/**
 * The test with the largest p-value once the secrets are paid for, and that p-value times the keys, readings and stops
 * (Bonferroni), at most 1; of equals the first.
 *
 * @param tests one at least.
 */
export function decide(
  tests: readonly OwnershipTest[],
  { triesLog2, keysTried, readings, stops }: Tries,
): { readonly test: OwnershipTest; readonly pValue: number } {
  const test = tests.reduce((worst, next) =>
    withSecrets(next, triesLog2) > withSecrets(worst, triesLog2) ? next : worst,
  );
  return { test, pValue: Math.min(1, withSecrets(test, triesLog2) * keysTried * readings * stops) };
}
