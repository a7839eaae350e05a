/**
 * @file What in the document of a verdict contradicts the rest of it.
 *
 * Whoever writes a document can invent all of it; only asking the suspect again tells. But a document that was changed
 * in one place is found out here: decision, p-value and interval follow from the tests and counts beside them. Only
 * rules are checked that are what they are by definition, so that documents of earlier versions can be drawn by later
 * ones.
 */

import { binomialTail, clopperPearson } from "../core/statistics.js";
import { decide, triesOf, withSecrets } from "../ownership/decide.js";
import type { Ground, OwnershipTest, Verdict } from "../ownership/verdict.js";

interface Counts {
  readonly matches: number;
  readonly n: number;
}

/** Of the document, what can be held against one another. */
export interface Checkable {
  readonly verdict: Verdict;
  readonly grounds: readonly Ground[];
  readonly key: { readonly triggers: number };
  readonly asked: { readonly triggers: number };
  readonly compared: {
    readonly luck?: number | undefined;
    readonly nullModels?: readonly { readonly matches: number }[] | undefined;
    readonly strangers?: { readonly keys: readonly Counts[] } | undefined;
  };
}

/** In whole sentences; empty for a document that agrees with itself. */
export function contradictions(document: Checkable): readonly string[] {
  return [...ofCounts(document), ...ofTests(document), ...ofDecision(document), ...ofGrounds(document)];
}

function ofCounts({ verdict, key, asked, compared }: Checkable): string[] {
  const { n, matches, retention, interval, confidence, nullModels, strangers, stops = 1, duplicates = 0 } = verdict;
  if (matches > n) return [`verdict: ${matches} matches of ${n} triggers`];
  const [low, high] = clopperPearson(matches, n, confidence);
  const found: string[] = [];
  if (n > asked.triggers || asked.triggers > key.triggers) {
    found.push(`verdict: ${n} triggers counted, ${asked.triggers} asked, ${key.triggers} in the key`);
  }
  const distinct = key.triggers - duplicates;
  if (stops !== (n < distinct ? distinct : 1)) {
    found.push(`verdict: ${stops} stops paid for, with ${n} triggers counted of ${distinct}`);
  }
  if (!near(retention, matches / n)) found.push(`verdict: retention ${retention} with ${matches} of ${n} matches`);
  if (!near(interval[0], low) || !near(interval[1], high)) {
    found.push(`verdict: ${matches} of ${n} matches do not give the interval ${interval.join(" to ")}`);
  }
  if (compared.nullModels?.length !== nullModels)
    found.push("compared: another number of null models than the verdict's");
  if (compared.nullModels?.some((each) => each.matches > n))
    found.push("compared: a null model matches more than was asked");
  if (compared.strangers?.keys.length !== strangers)
    found.push("compared: another number of strangers' keys than the verdict's");
  return found;
}

function ofTests(document: Checkable): string[] {
  return document.verdict.tests.flatMap((test) => {
    const expected = pValueOf(test, document);
    if (expected === undefined || near(test.pValue, expected)) return [];
    return [`verdict: the counts give the ${test.title} p = ${expected}, not ${test.pValue}`];
  });
}

/** The p-value that a document's counts give a test; undefined where it holds too little for that. */
function pValueOf({ id, against }: OwnershipTest, { verdict, compared }: Checkable): number | undefined {
  const { matches, n } = verdict;
  const { luck, nullModels, strangers } = compared;
  const rank = (others: readonly Counts[]): number =>
    (1 + others.filter((other) => other.matches / other.n >= matches / n).length) / (others.length + 1);
  switch (id) {
    case "binomial":
      return against === "luck" && luck !== undefined ? binomialTail(matches, n, luck) : undefined;
    case "empirical-null":
      return nullModels && rank(nullModels.map((each) => ({ matches: each.matches, n })));
    case "strangers":
      // Of keys whose labels were drawn it is no rank: a binomial test at a bound.
      return luck === undefined && strangers !== undefined ? rank(strangers.keys) : undefined;
    default:
      return undefined;
  }
}

function ofDecision({ verdict }: Checkable): string[] {
  const { owned, alpha, pValue, tests, decidedBy, missing, triesLog2 = 0 } = verdict;
  const decided = decide(tests, triesOf(verdict));
  const named = tests.find((test) => test.id === decidedBy);
  const found: string[] = [];
  if (owned !== pValue <= alpha) {
    found.push(
      `verdict: ownership is called ${owned ? "shown" : "not shown"} with p = ${pValue} at the level ${alpha}`,
    );
  }
  const expected = missing === undefined ? decided.pValue : 1;
  if (!near(pValue, expected)) found.push(`verdict: the tests give p = ${expected}, not ${pValue}`);
  if (named === undefined || !near(withSecrets(named, triesLog2), withSecrets(decided.test, triesLog2))) {
    found.push(`verdict: decided by ${decidedBy}, but the weakest evidence is that of the ${decided.test.title}`);
  }
  return found;
}

function ofGrounds({ verdict, grounds }: Checkable): string[] {
  return grounds
    .filter(({ against, tested }) => tested !== verdict.tests.some((test) => test.against === against))
    .map(
      ({ against, tested }) =>
        `grounds: ${against} called ${tested ? "tested" : "not tested"}, which the tests contradict`,
    );
}

/** Equal but for the last digits, in which machines and versions may differ. */
function near(found: number, expected: number): boolean {
  return Math.abs(found - expected) <= 1e-6 * Math.max(Math.abs(found), Math.abs(expected));
}
