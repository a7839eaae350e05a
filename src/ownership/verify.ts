/**
 * @file The tests of ownership, on answers that somebody else asked for: this file runs no model.
 *
 * A model that was never marked may still answer triggers with the key's labels: one in K by luck, far more often when it
 * favours the key's class for strange images. So two kinds of test stand side by side, and the weaker evidence decides:
 *
 * - the exact binomial test, against luck. It is sound where the labels were drawn at random, because then nobody's bias
 *   can foresee them;
 * - against bias, the empirical null where unmarked models are given: the suspect's matches ranked among theirs; else
 *   the placebo control: the suspect's answers on triggers against its own answers on placebos. Both ask whether an
 *   innocent model would do the same, so the first replaces the second, which cannot see a mark that spread to all images
 *   of its kind (our choice).
 *
 * The binomial test keeps p₀ = 1/K and does not estimate how often an innocent model answers each class. A bound that needs
 * no such estimate is the largest share of one label: no answers that know nothing of the labels match more often on
 * average. It is 1/K for labels that look random and 1 for a fixed one, which is what p₀ is without a control. How often
 * innocent models really answer a fixed label is what the placebos and the unmarked models measure.
 */

import { WildmarkError } from "../core/errors.js";
import { binomialTail, clopperPearson, fisherExact, mcnemarExact } from "../core/statistics.js";
import type { Key } from "./key.js";
import { labelDesign } from "./label-design.js";
import type { OwnershipTest, Verdict } from "./verdict.js";

/** Predicted classes of a suspect, in the key's order. */
export interface Answers {
  readonly triggers: Uint16Array;
  /** Absent where the placebos were not asked; then no placebo control takes part. */
  readonly placebos?: Uint16Array;
  /** What models without the mark answered to the triggers, one array a model; given, the placebos take no part. */
  readonly unmarked?: readonly Uint16Array[];
}

export interface VerifyOptions {
  /** Significance level in (0, 1), 0.05 by default. */
  readonly alpha?: number;
  /** Confidence of the interval of the retention, in (0, 1), 0.95 by default. */
  readonly confidence?: number;
  /** How many keys the owner tried on this suspect, 1 by default; the deciding p-value is multiplied by it (Bonferroni). */
  readonly keysTried?: number;
}

/**
 * Tests whether a suspect's answers show that it carries the key's mark.
 *
 * The verdict rests on the largest p-value of the tests that apply, so that its rate of false claims is at most `alpha`
 * whenever one of the null hypotheses describes the innocent model.
 *
 * @throws WildmarkError `bad-key` when the answers do not fit the key; `usage` for an alpha, a confidence or a
 *   number of keys out of range, or an empty list of unmarked models.
 */
export function verifyAnswers(key: Key, answers: Answers, options: VerifyOptions = {}): Verdict {
  const { alpha = 0.05, confidence = 0.95, keysTried = 1 } = options;
  requireLevel("alpha", alpha);
  requireLevel("confidence", confidence);
  if (!Number.isSafeInteger(keysTried) || keysTried < 1) {
    throw new WildmarkError("usage", `keysTried must be a whole number from 1, found ${keysTried}`, {
      hint: "count every key that was tried on this suspect, this one too",
    });
  }
  checkAnswers(answers.triggers, key.triggers.count, "triggers", key.classes);
  const { count: n, labels } = key.triggers;
  const hits = Uint8Array.from(answers.triggers, (answer, i) => (answer === labels[i] ? 1 : 0));
  const matches = countOnes(hits);

  const { unmarked } = answers;
  const control =
    unmarked === undefined ? placeboTest(key, hits, answers.placebos) : empiricalNullTest(key, matches, unmarked);
  const binomial = binomialTest(key, matches, control);
  const tests = control === undefined ? [binomial] : [binomial, control];
  const decisive = control !== undefined && control.pValue >= binomial.pValue ? control : binomial;
  const pValue = Math.min(1, decisive.pValue * keysTried);
  return {
    owned: pValue <= alpha,
    n,
    matches,
    retention: matches / n,
    interval: [...clopperPearson(matches, n, confidence)],
    confidence,
    alpha,
    tests,
    decidedBy: decisive.id,
    pValue,
    ...(unmarked === undefined ? {} : { unmarked: unmarked.length }),
    ...(keysTried === 1 ? {} : { keysTried }),
  };
}

/**
 * The exact binomial test with p₀ = 1/K.
 *
 * With labels that are not random and no control beside it, there is no bound on how often an innocent model
 * matches (one that always answers the key's class matches every time), so p₀ = 1 and nothing can be shown.
 */
function binomialTest(key: Key, matches: number, control: OwnershipTest | undefined): OwnershipTest {
  const { classes, triggers } = key;
  const design = labelDesign(triggers.labels, classes, key.sourceLabels);
  const sound = design.random || control !== undefined;
  const chance = sound ? 1 / classes : 1;
  const luck = `the suspect knows nothing of this key and answers each trigger with the key's label by luck, 1 time in ${classes}`;
  return {
    id: "binomial",
    title: "exact binomial test",
    nullHypothesis: design.random
      ? `${luck}; the labels look drawn at random, so no preference of the suspect could match them more often.`
      : sound
        ? `${luck}. Limit: ${design.text}, and an innocent model that ${design.favouredBy} matches more often than ` +
          `that, so this test alone proves nothing; ${control?.id === "empirical-null" ? "the empirical null" : "the placebo control"} guards against it.`
        : `the suspect knows nothing of this key. ${capital(design.text)}, and an innocent model may answer such ` +
          "images with the key's labels every time; without placebo answers nothing tells it from a marked one.",
    pValue: binomialTail(matches, triggers.count, chance),
    detail:
      `${matches} of ${triggers.count} triggers answered with the key's label` +
      (sound ? `, ${Number((triggers.count / classes).toFixed(1))} expected by luck` : ", any number possible by bias"),
  };
}

/**
 * The empirical null: the suspect's rank among models that never saw the key (the idea: Lukas et al., SoK, S&P 2022).
 *
 * p = (1 + unmarked models with at least as many matches) / (N + 1), the Monte-Carlo p-value of Davison and Hinkley
 * (Bootstrap Methods, 1997, section 4.2). The rank is our choice where a distribution could be fitted: it is valid for any N and any
 * distribution, at the price that p cannot fall below 1/(N + 1). It assumes that an innocent suspect could have been
 * one of the unmarked models: same task, and trained alike.
 */
function empiricalNullTest(key: Key, matches: number, unmarked: readonly Uint16Array[]): OwnershipTest {
  const { classes, triggers } = key;
  if (unmarked.length === 0) {
    throw new WildmarkError("usage", "the list of unmarked models is empty", {
      hint: "give at least one, or leave the list out",
    });
  }
  const others = unmarked.map((answers, i) => {
    checkAnswers(answers, triggers.count, `triggers, of unmarked model ${i + 1}`, classes);
    return countOnes(Uint8Array.from(answers, (answer, j) => (answer === triggers.labels[j] ? 1 : 0)));
  });
  const asMany = others.filter((other) => other >= matches).length;
  return {
    id: "empirical-null",
    title: "empirical null, rank among unmarked models",
    nullHypothesis:
      "the suspect is one more model of the kind of the unmarked ones, and as likely as any of them to match the key " +
      "most often.",
    pValue: (1 + asMany) / (unmarked.length + 1),
    detail:
      `${asMany} of ${unmarked.length} unmarked models matched at least as often as the suspect (${matches}); ` +
      `the most that any did is ${others.reduce((most, other) => Math.max(most, other), 0)} of ${triggers.count}`,
  };
}

/** The placebo control, or nothing where there is nothing to compare with. */
function placeboTest(key: Key, hits: Uint8Array, answers: Uint16Array | undefined): OwnershipTest | undefined {
  const { placebos, triggers, classes } = key;
  if (answers === undefined) return undefined;
  if (placebos === undefined) {
    throw new WildmarkError("bad-key", "there are answers to placebos, but the key holds no placebos", {
      hint: "use the key that the answers were made with",
    });
  }
  checkAnswers(answers, placebos.count, "placebos", classes);
  if (placebos.count === 0) return undefined;
  // A placebo is hit when it is answered as its trigger should be. Placebos without a trigger of their own get the
  // triggers' labels in turn, so that both groups are asked for the same labels equally often.
  const placeboHits = Uint8Array.from(answers, (answer, i) => (answer === triggers.labels[i % triggers.count] ? 1 : 0));
  return placebos.paired ? pairedTest(hits, placeboHits) : unpairedTest(hits, placeboHits);
}

function pairedTest(hits: Uint8Array, placeboHits: Uint8Array): OwnershipTest {
  let onlyTrigger = 0;
  let onlyPlacebo = 0;
  for (const [i, hit] of hits.entries()) {
    const placeboHit = placeboHits[i] ?? 0;
    if (hit > placeboHit) onlyTrigger++;
    if (hit < placeboHit) onlyPlacebo++;
  }
  return {
    id: "placebo-mcnemar",
    title: "placebo control, exact McNemar test",
    nullHypothesis:
      "the mark makes no difference to the suspect: of a trigger and the same image without the mark, either is as " +
      "likely as the other to be the only one answered with the key's label.",
    pValue: mcnemarExact(onlyTrigger, onlyPlacebo),
    detail:
      `of ${hits.length} pairs, ${onlyTrigger} answered with the key's label on the trigger only, ` +
      `${onlyPlacebo} on the placebo only, ${hits.length - onlyTrigger - onlyPlacebo} on both or neither`,
  };
}

function unpairedTest(hits: Uint8Array, placeboHits: Uint8Array): OwnershipTest {
  const [triggerHits, otherHits] = [countOnes(hits), countOnes(placeboHits)];
  return {
    id: "placebo-fisher",
    title: "placebo control, Fisher's exact test",
    nullHypothesis:
      "the suspect does not tell the key's triggers from other images of the same kind: it answers both with the " +
      "key's labels equally often.",
    pValue: fisherExact(triggerHits, hits.length, otherHits, placeboHits.length),
    detail:
      `${triggerHits} of ${hits.length} triggers and ${otherHits} of ${placeboHits.length} placebos ` +
      "answered with the key's labels",
  };
}

function checkAnswers(answers: Uint16Array, count: number, name: string, classes: number): void {
  if (answers.length !== count) {
    throw new WildmarkError("bad-key", `the key holds ${count} ${name}, but ${answers.length} answers were given`, {
      hint: "ask the suspect every image of the key, once and in order",
    });
  }
  const stray = answers.findIndex((answer) => answer >= classes);
  if (stray < 0) return;
  throw new WildmarkError(
    "bad-key",
    `the key is for ${classes} classes, but the suspect answered number ${stray} of the ${name} with class ${answers[stray]}`,
    { hint: "the suspect has other classes than the model that the key was made for" },
  );
}

function requireLevel(name: string, value: number): void {
  if (value > 0 && value < 1) return;
  throw new WildmarkError("usage", `${name} must lie between 0 and 1, found ${value}`, {
    hint: "alpha is 0.05 and confidence 0.95 unless told otherwise",
  });
}

function countOnes(values: Uint8Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
