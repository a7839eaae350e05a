/**
 * @file The verdict on one suspect model as data, and as lines for a terminal.
 */

import { z } from "zod";

const share = z.number().min(0).max(1);

/** One test of ownership: what an innocent model would do, and how likely that makes what was seen. */
export const testSchema = z.object({
  id: z.enum(["binomial", "placebo-mcnemar", "placebo-fisher", "empirical-null"]),
  title: z.string(),
  nullHypothesis: z.string(),
  /** One-sided p-value. */
  pValue: share,
  /** The counts that the p-value comes from, in words. */
  detail: z.string(),
});

export const verdictSchema = z.object({
  owned: z.boolean(),
  /** Number of triggers in the key that were asked. */
  n: z.int().positive(),
  matches: z.int().min(0),
  retention: share,
  /** Clopper-Pearson interval of the retention. */
  interval: z.tuple([share, share]),
  confidence: share,
  /** Significance level of the verdict. */
  alpha: share,
  tests: z.array(testSchema).min(1),
  /** The most conservative test that applies; its p-value against alpha is the verdict. */
  decidedBy: testSchema.shape.id,
  /** The p-value of the deciding test, times the number of keys tried (Bonferroni), at most 1. */
  pValue: share,
  /** How many unmarked models the suspect was ranked among, where there were any. */
  unmarked: z.int().positive().optional(),
  /** How many keys the owner tried, where more than one. */
  keysTried: z.int().min(2).optional(),
});

export type OwnershipTest = z.infer<typeof testSchema>;
export type Verdict = z.infer<typeof verdictSchema>;

/** The same evidence judged at another significance level. */
export function atLevel(verdict: Verdict, alpha: number): Verdict {
  return { ...verdict, alpha, owned: verdict.pValue <= alpha };
}

/** The verdict in plain lines: the answer first, then the counts, then each test with its null hypothesis. */
export function describeVerdict(verdict: Verdict): string[] {
  const { owned, n, matches, retention, interval, confidence, alpha, tests, decidedBy, pValue } = verdict;
  const title = tests.find((test) => test.id === decidedBy)?.title ?? decidedBy;
  const answer = owned ? "Ownership is shown" : "Ownership is not shown";
  const comparison = owned ? "at most" : "above";
  const [low, high] = interval;
  return [
    `${answer}: ${formatPValue(pValue)}, ${comparison} the significance level ${alpha}; decided by: ${title}`,
    ...limits(verdict),
    `${matches} of ${n} triggers answered with the key's labels: retention ${percent(retention)}, ` +
      `${Number((confidence * 100).toFixed(4))} % Clopper-Pearson interval ${percent(low)} to ${percent(high)}`,
    ...tests.flatMap((test) => [
      `${test.title}: ${formatPValue(test.pValue)}`,
      `  Null hypothesis: ${test.nullHypothesis}`,
      `  Seen: ${test.detail}`,
    ]),
  ];
}

/** What bears on the p-value beside the tests: the keys tried, and whether the unmarked models could suffice at all. */
function limits({ alpha, unmarked, keysTried = 1 }: Verdict): string[] {
  const lines: string[] = [];
  if (keysTried > 1) {
    lines.push(`${keysTried} keys were tried, so the deciding p-value is multiplied by ${keysTried} (Bonferroni)`);
  }
  if (unmarked !== undefined && keysTried / (unmarked + 1) > alpha) {
    lines.push(
      `Too few unmarked models to show ownership at ${alpha}, whatever the suspect answers: with ${unmarked} the p-value ` +
        `is at least ${keysTried}/${unmarked + 1}; ${Math.ceil(keysTried / alpha) - 1} are needed`,
    );
  }
  return lines;
}

/** "p = 0.032", "p = 3.2e-16"; never a bare zero, which would claim certainty. */
export function formatPValue(pValue: number): string {
  if (pValue < 1e-300) return "p < 1e-300";
  if (pValue >= 0.001) return `p = ${Number(pValue.toPrecision(3))}`;
  return `p = ${pValue.toExponential(1)}`;
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
