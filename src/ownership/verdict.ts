/**
 * @file The verdict on one suspect model as data, and as lines for a terminal.
 */

import { z } from "zod";
import { percent } from "../core/percent.js";

const share = z.number().min(0).max(1);

/** One test of ownership: what an innocent model would do, and how likely that makes what was seen. */
export const testSchema = z.object({
  id: z.enum(["binomial", "placebo-mcnemar", "placebo-fisher", "empirical-null", "null-models", "strangers"]),
  title: z.string(),
  nullHypothesis: z.string(),
  /** One-sided p-value. */
  pValue: share,
  /** The counts that the p-value comes from, in words. */
  detail: z.string(),
  /** Which false claim it stands against. */
  against: z.enum(["luck", "look-alikes", "forgers"]).optional(),
  /** Whether trying many secrets helps against it, so that the verdict multiplies it by 2^triesLog2. */
  paysTries: z.boolean().optional(),
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
  /**
   * The p-value of the deciding test, times the secrets that may have been tried where it pays them, the readings, the
   * keys tried and the stops (Bonferroni), at most 1.
   */
  pValue: share,
  /** The smallest p-value that this key could have reached here, whatever the suspect answers. */
  least: share.optional(),
  /** Where the key comes from: drawn from a secret, chosen by somebody, or made by whoever asks. */
  provenance: z.enum(["drawn", "chosen", "made-here"]).optional(),
  /** Whether the key is said to be older than the suspect. */
  committed: z.boolean().optional(),
  /** Binary logarithm of the secrets that a forger may have tried. */
  triesLog2: z.number().min(0).optional(),
  /** Evidence that holds whenever asking stops, of keys with a label drawn for each trigger (`core/e-process.ts`). */
  anytime: z
    .object({
      /** Natural logarithm of the e-value over all triggers, what was tried taken off: to combine with others. */
      logE: z.number(),
      /** 1 over the largest e-value on the way, at most 1. */
      pValue: share,
      /** After how many triggers alpha was reached: asking could have stopped there. */
      after: z.int().positive().optional(),
    })
    .optional(),
  /** What the claim lacks before anything could be shown by it. */
  missing: z.array(z.string()).min(1).optional(),
  /** Triggers that show the same picture as another one, which were not counted. */
  duplicates: z.int().positive().optional(),
  /** Triggers that the suspect did not answer; counted as misses. */
  refused: z.int().positive().optional(),
  /** How many readings of the suspect's preprocessing were tried, where more than one. */
  readings: z.int().min(2).optional(),
  /** After how many triggers asking could have stopped, where not all of the key's were asked. */
  stops: z.int().min(2).optional(),
  /** Answers to the key's images that were read from a transcript, and neither heard nor checked by whoever judged. */
  unheard: z.object({ answers: z.int().positive(), of: z.int().positive() }).optional(),
  /** The class that the suspect answered to every image it was asked, where it answered nothing else. */
  onlyAnswer: z.int().min(0).optional(),
  /** How many null models took part. */
  nullModels: z.int().positive().optional(),
  /** How many strangers' keys took part. */
  strangers: z.int().positive().optional(),
  /** What documents from before called `nullModels`. */
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

/**
 * The verdict in plain lines: the answer first, what it rests on, then the counts, then each test with its null
 * hypothesis.
 */
export function describeVerdict(verdict: Verdict): string[] {
  const { owned, n, matches, retention, interval, confidence, alpha, tests, decidedBy, pValue, missing } = verdict;
  const title = tests.find((test) => test.id === decidedBy)?.title ?? decidedBy;
  const answer = owned ? "Ownership is shown" : "Ownership is not shown";
  const comparison = owned ? "at most" : "above";
  const [low, high] = interval;
  return [
    missing === undefined
      ? `${answer}: ${formatPValue(pValue)}, ${comparison} the significance level ${alpha}; decided by: ${title}`
      : `${answer}: nothing can be, whatever the suspect answers, without ${listed(missing)}`,
    ...groundsOf(verdict),
    ...limits(verdict),
    `${matches} of ${n} triggers answered with the key's labels: retention ${percent(retention)}, ` +
      `${Number((confidence * 100).toFixed(4))} % Clopper-Pearson interval ${percent(low)} to ${percent(high)}`,
    ...anytimeInWords(verdict),
    ...tests.flatMap((test) => [
      `${test.title}: ${formatPValue(test.pValue)}`,
      `  Null hypothesis: ${test.nullHypothesis}`,
      `  Seen: ${test.detail}`,
    ]),
  ];
}

function anytimeInWords({ anytime, alpha }: Verdict): string[] {
  if (anytime === undefined) return [];
  const { logE, pValue, after } = anytime;
  const e = logE > -30 ? `e-value 10^${(logE / Math.LN10).toFixed(1)}` : "e-value below 1e-13";
  const stopped = after === undefined ? "" : `; ${after} triggers were enough for ${alpha}`;
  return [`evidence that holds whenever asking stops: ${e}, ${formatPValue(pValue)}${stopped}`];
}

/** One false claim, and what was done about it. */
export interface Ground {
  readonly against: "luck" | "look-alikes" | "forgers";
  readonly tested: boolean;
  readonly text: string;
}

/** What the verdict rests on, in words that a judge reads; nothing for documents from before. */
export function groundsInWords(verdict: Verdict): readonly Ground[] {
  const { tests, provenance, missing } = verdict;
  if (provenance === undefined) return [];
  const of = (against: Ground["against"]) => tests.filter((test) => test.against === against);
  const told = (against: Ground["against"], untested: string): Ground => {
    const found = of(against);
    const text = found.map(({ title, pValue }) => `${title}, ${formatPValue(pValue)}`).join("; ");
    return { against, tested: found.length > 0, text: found.length > 0 ? text : untested };
  };
  const tried = provenance === "drawn" ? `; ${triesInWords(verdict)}` : "";
  const forgers = told(
    "forgers",
    provenance === "chosen"
      ? "not tested: somebody chose what this key holds, and may have chosen what the suspect answers"
      : provenance === "drawn" && missing === undefined
        ? "no strangers' keys were asked; the key follows from its secret, so that nobody chose it"
        : "not tested",
  );
  return [
    told("luck", "cannot be tested: the labels were chosen, not drawn"),
    told("look-alikes", "not tested: neither placebos nor null models were asked"),
    { ...forgers, text: forgers.text + tried },
  ];
}

/** Below this it is somebody's word that no more secrets were tried. */
const BEYOND_TRYING = 64;

/** What is paid for secrets that were tried, and on whose word no more. */
function triesInWords({ triesLog2 = 0, committed = false, nullModels }: Verdict): string {
  const before = committed ? ", or before it on models that answer like it," : "";
  const paid =
    `whoever had tried 2^${Number(triesLog2.toFixed(1))} secrets on the suspect${before} would have found a ` +
    `key as good as by ` +
    "luck, which is in the p-value";
  if (triesLog2 >= BEYOND_TRYING) return paid;
  if (committed && nullModels !== undefined) {
    return (
      `${triesLog2 > 0 ? `${paid}; ` : ""}the key is said to be older than the suspect; nothing is paid for ` +
      `secrets that were tried before, on ` +
      `models that answer like it: the null models are such models, on the word of whoever gave them`
    );
  }
  return triesLog2 > 0
    ? `${paid}; that no more were tried is the word of whoever asked (--tries-log2)`
    : "nothing is paid for secrets that may have been tried: that none were is the word of whoever asked " +
        "(--tries-log2)";
}

function groundsOf(verdict: Verdict): string[] {
  const weak =
    verdict.provenance === "chosen"
      ? ["Evidence of the weaker kind: this key was not drawn from a secret, somebody chose what it holds"]
      : [];
  return [...weak, ...groundsInWords(verdict).map(({ against, text }) => `against ${against}: ${text}`)];
}

/**
 * What bears on the p-value beside the tests: what was tried, what did not count, and whether the key could suffice at
 * all.
 */
function limits({
  alpha,
  least,
  onlyAnswer,
  unmarked,
  keysTried = 1,
  readings = 1,
  stops = 1,
  unheard,
  n,
  duplicates,
  refused,
  missing,
}: Verdict): string[] {
  const lines: string[] = [];
  if (unheard !== undefined) {
    lines.push(
      `${unheard.answers} of ${unheard.of} answers were read from a transcript and not heard by this ` +
        `command: a transcript can be ` +
        "made up",
    );
  }
  const many = (count: number, what: string): string =>
    `${count} ${what} tried, so the p-value is multiplied by ${count} (Bonferroni)`;
  if (keysTried > 1) lines.push(many(keysTried, "keys were"));
  if (readings > 1) lines.push(many(readings, "readings of the suspect's images were"));
  if (stops > 1) {
    lines.push(
      `${n} triggers were asked of ${stops} that count: whoever stopped there may have seen the answers, so ` +
        `the p-value is ` +
        `multiplied by ${stops} (Bonferroni)`,
    );
  }
  if (onlyAnswer !== undefined) lines.push(`the suspect answers class ${onlyAnswer} to everything it was asked`);
  if (duplicates !== undefined) lines.push(`${duplicates} triggers repeat a picture, and were not counted`);
  if (refused !== undefined) lines.push(`${refused} triggers were not answered, and count as misses`);
  if (missing === undefined && least !== undefined && least > alpha) {
    lines.push(
      `This key can never show ownership at ${alpha} when asked like this, whatever the suspect answers: ` +
        `its p-value is at ` +
        `least ${formatPValue(least).slice(4)}`,
    );
  }
  if (unmarked !== undefined && keysTried / (unmarked + 1) > alpha) {
    lines.push(
      `Too few unmarked models to show ownership at ${alpha}, whatever the suspect answers: with ` +
        `${unmarked} the p-value ` +
        `is at least ${keysTried}/${unmarked + 1}; ${Math.ceil(keysTried / alpha) - 1} are needed`,
    );
  }
  return lines;
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** "p = 0.032", "p = 3.2e-16"; never a bare zero, which would claim certainty. */
export function formatPValue(pValue: number): string {
  if (pValue < 1e-300) return "p < 1e-300";
  if (pValue >= 0.001) return `p = ${Number(pValue.toPrecision(3))}`;
  return `p = ${pValue.toExponential(1)}`;
}
