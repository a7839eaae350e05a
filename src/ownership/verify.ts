/**
 * @file The tests of ownership, on answers that somebody else asked for: this file runs no model.
 *
 * A model that was never marked may still answer triggers with the key's labels: one in K by luck, far more often when it
 * favours the key's class for strange images. So two kinds of test stand side by side, and the weaker evidence decides:
 *
 * - the exact binomial test, against luck. It is sound where the labels were drawn at random, because then nobody's bias
 *   can foresee them;
 * - the placebo control, against bias: the suspect's answers on triggers against its own answers on placebos.
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
}

export interface VerifyOptions {
  /** Significance level in (0, 1), 0.05 by default. */
  readonly alpha?: number;
  /** Confidence of the interval of the retention, in (0, 1), 0.95 by default. */
  readonly confidence?: number;
}

/**
 * Tests whether a suspect's answers show that it carries the key's mark.
 *
 * The verdict rests on the largest p-value of the tests that apply, so that its rate of false claims is at most `alpha`
 * whenever one of the null hypotheses describes the innocent model.
 *
 * @throws WildmarkError `bad-key` when the answers do not fit the key; `usage` for an alpha or confidence out of range.
 */
export function verifyAnswers(key: Key, answers: Answers, options: VerifyOptions = {}): Verdict {
  const { alpha = 0.05, confidence = 0.95 } = options;
  requireLevel("alpha", alpha);
  requireLevel("confidence", confidence);
  checkAnswers(answers.triggers, key.triggers.count, "triggers", key.classes);
  const { count: n, labels } = key.triggers;
  const hits = Uint8Array.from(answers.triggers, (answer, i) => (answer === labels[i] ? 1 : 0));
  const matches = countOnes(hits);

  const placebo = placeboTest(key, hits, answers.placebos);
  const binomial = binomialTest(key, matches, placebo !== undefined);
  const tests = placebo === undefined ? [binomial] : [binomial, placebo];
  const decisive = placebo !== undefined && placebo.pValue >= binomial.pValue ? placebo : binomial;
  return {
    owned: decisive.pValue <= alpha,
    n,
    matches,
    retention: matches / n,
    interval: [...clopperPearson(matches, n, confidence)],
    confidence,
    alpha,
    tests,
    decidedBy: decisive.id,
    pValue: decisive.pValue,
  };
}

/**
 * The exact binomial test with p₀ = 1/K.
 *
 * With labels that are not random and no placebo control beside it, there is no bound on how often an innocent model
 * matches (one that always answers the key's class matches every time), so p₀ = 1 and nothing can be shown.
 */
function binomialTest(key: Key, matches: number, controlled: boolean): OwnershipTest {
  const { classes, triggers } = key;
  const design = labelDesign(triggers.labels, classes);
  const sound = design.random || controlled;
  const chance = sound ? 1 / classes : 1;
  const luck = `the suspect knows nothing of this key and answers each trigger with the key's label by luck, 1 time in ${classes}`;
  return {
    id: "binomial",
    title: "exact binomial test",
    nullHypothesis: design.random
      ? `${luck}; the labels look drawn at random, so no preference of the suspect could match them more often.`
      : sound
        ? `${luck}. Limit: ${design.text}, and an innocent model that prefers such a class matches more often than ` +
          "that, so this test alone proves nothing; the placebo control guards against it."
        : `the suspect knows nothing of this key. ${capital(design.text)}, and an innocent model may answer such ` +
          "images with the key's labels every time; without placebo answers nothing tells it from a marked one.",
    pValue: binomialTail(matches, triggers.count, chance),
    detail:
      `${matches} of ${triggers.count} triggers answered with the key's label` +
      (sound ? `, ${Number((triggers.count / classes).toFixed(1))} expected by luck` : ", any number possible by bias"),
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
