/**
 * @file The single tests of ownership: each from counts to a p-value, with its null hypothesis in words. Which of them
 * apply, and what they are worth together, `verify.ts` decides.
 */

import { binomialTail, clopperPearson, fisherExact, mcnemarExact } from "../core/statistics.js";
import { type LabelDesign, labelDesign } from "./label-design.js";
import type { Key } from "./key.js";
import type { OwnershipTest } from "./verdict.js";

/** A test, and the smallest p-value that it could have had whatever the suspect answers. */
export interface TestResult {
  readonly test: OwnershipTest;
  readonly least: number;
  /** How often whoever knows nothing of the key may match, where the test is a binomial one at such a rate. */
  readonly rate?: number;
}

/** How often a group of answers was the key's label. */
export interface Matches {
  readonly matches: number;
  readonly n: number;
}

/** Confidence of a bound on how often models match that know nothing of the key: it errs once in a thousand times. */
const BOUND = 0.998;

/**
 * How often a model that knows nothing of the key matches a label at most, by the way in which the labels came about.
 */
export interface Chance {
  readonly p: number;
  /** Whether that holds for every suspect, whatever it answers. */
  readonly sound: boolean;
  readonly why: string;
}

/**
 * Of drawn labels 1/K, or 1/(K − 1) where the image's own class was left out. Of a key whose labels nobody drew nothing
 * is known; whoever made it themselves may take labels that look random for random.
 */
export function chanceOf(key: Key, madeHere: boolean): Chance {
  const { drawn, triggers, classes, sourceLabels } = key;
  if (drawn !== undefined && drawn.labelling !== "fixed") {
    const p = drawn.labelling === "wrong" ? 1 / (classes - 1) : 1 / classes;
    return { p, sound: true, why: "the labels follow from the key's secret and images, so that nobody chose them" };
  }
  const design = labelDesign(triggers.labels, classes, sourceLabels);
  const wrong = sourceLabels !== undefined && classes > 2 && sourceLabels.every((own, i) => own !== triggers.labels[i]);
  const p = wrong ? 1 / (classes - 1) : 1 / classes;
  if (drawn === undefined && madeHere && design.random) {
    return {
      p,
      sound: true,
      why: "the labels look drawn at random, so no preference of the suspect could match them more often",
    };
  }
  return { p, sound: false, why: whyNot(key, design) };
}

function whyNot({ drawn }: Key, { random, text, favouredBy }: LabelDesign): string {
  if (!random) return `${text}, and an innocent model that ${favouredBy} matches more often than that`;
  return drawn === undefined
    ? "nothing shows that the labels were drawn after the images were fixed, and images can be found for any labels"
    : "the labels are chosen";
}

/** Exact binomial test against luck; `chance` 1 where nothing bounds how often an innocent model matches. */
export function luckTest({ matches, n }: Matches, chance: Chance, guarded: boolean): TestResult {
  const p = chance.sound || guarded ? chance.p : 1;
  const times = Number((1 / chance.p).toFixed(2));
  const luck =
    `the suspect knows nothing of this key and answers each trigger with the key's label by ` +
    `luck, at most 1 time in ${times}`;
  const nullHypothesis = chance.sound
    ? `${luck}; ${chance.why}.`
    : guarded
      ? `${luck}. Limit: ${chance.why}, so this test alone proves nothing; the others guard against it.`
      : `the suspect knows nothing of this key. ${capital(chance.why)}: an innocent model may match every time.`;
  return {
    test: {
      id: "binomial",
      title: "exact binomial test",
      nullHypothesis,
      pValue: binomialTail(matches, n, p),
      detail:
        `${matches} of ${n} triggers answered with the key's label` +
        (p < 1 ? `, ${Number((n * p).toFixed(1))} expected by luck` : ", any number possible by bias"),
      ...(chance.sound ? { against: "luck" as const, paysTries: true } : {}),
    },
    least: binomialTail(n, n, p),
  };
}

/** Trigger against placebo, pair by pair; `exact` where a coin of the secret decided which is which. */
export function pairedTest(hits: Uint8Array, placeboHits: Uint8Array, exact: boolean): TestResult {
  let [onlyTrigger, onlyPlacebo] = [0, 0];
  for (const [i, hit] of hits.entries()) {
    const placeboHit = placeboHits[i] ?? 0;
    if (hit > placeboHit) onlyTrigger++;
    if (hit < placeboHit) onlyPlacebo++;
  }
  return {
    test: {
      id: "placebo-mcnemar",
      title: "placebo control, exact McNemar test",
      nullHypothesis: exact
        ? "the suspect knows nothing of this key: a coin of the key's secret made one of two images that " +
          "were made alike the " +
          "trigger, so that either is as likely as the other to be the only one answered with the key's label."
        : "the mark makes no difference to the suspect: of a trigger and its placebo, either is as likely " +
          "as the other to be " +
          "the only one answered with the key's label.",
      pValue: mcnemarExact(onlyTrigger, onlyPlacebo),
      detail:
        `of ${hits.length} pairs, ${onlyTrigger} answered with the key's label on the trigger only, ` +
        `${onlyPlacebo} on the placebo only, ${hits.length - onlyTrigger - onlyPlacebo} on both or neither`,
      against: "look-alikes",
    },
    least: 2 ** -hits.length,
  };
}

export function unpairedTest(hits: Uint8Array, placeboHits: Uint8Array): TestResult {
  const [triggerHits, otherHits] = [countOnes(hits), countOnes(placeboHits)];
  return {
    test: {
      id: "placebo-fisher",
      title: "placebo control, Fisher's exact test",
      nullHypothesis:
        "the suspect does not tell the key's triggers from other images of the same kind: it answers both with the " +
        "key's labels equally often.",
      pValue: fisherExact(triggerHits, hits.length, otherHits, placeboHits.length),
      detail:
        `${triggerHits} of ${hits.length} triggers and ${otherHits} of ${placeboHits.length} placebos ` +
        "answered with the key's labels",
      against: "look-alikes",
    },
    least: fisherExact(hits.length, hits.length, 0, placeboHits.length),
  };
}

/**
 * The suspect's rank among null models (the idea: Lukas et al., SoK, S&P 2022).
 *
 * p = (1 + null models with at least as many matches) / (N + 1), the Monte-Carlo p-value of Davison and Hinkley
 * (Bootstrap Methods, 1997, section 4.2). The rank is our choice where a distribution could be fitted: it is valid for
 * any N and any distribution, at the price that p cannot fall below 1/(N + 1). It assumes that an innocent suspect
 * could have been one of the null models: same task, and trained alike.
 */
export function nullModelRank({ matches, n }: Matches, others: readonly Matches[]): TestResult {
  const asMany = others.filter((other) => other.matches >= matches).length;
  return {
    test: {
      id: "empirical-null",
      title: "empirical null, rank among null models",
      nullHypothesis:
        "the suspect is one more model of the kind of the null models, and as likely as any of them to match the key " +
        "most often.",
      pValue: (1 + asMany) / (others.length + 1),
      detail:
        `${asMany} of ${others.length} null models matched at least as often as the suspect (${matches}); ` +
        `the most that any did is ${most(others)} of ${n}`,
      against: "look-alikes",
    },
    least: 1 / (others.length + 1),
  };
}

/**
 * The binomial test again, with what the null models match at most in place of luck (for drawn labels, whose matches
 * are independent).
 */
export function nullModelBound({ matches, n }: Matches, others: readonly Matches[], chance: number): TestResult {
  const bound = Math.max(chance, ...others.map((other) => upper(other)));
  return {
    test: {
      id: "null-models",
      title: "binomial test at the null models' rate",
      nullHypothesis:
        `the suspect knows nothing of this key, and matches no more often than the null models may: ` +
        `${percent(bound)} of the triggers.`,
      pValue: binomialTail(matches, n, bound),
      detail:
        `the most that any of ${others.length} null models matched is ${most(others)} of ${n}, so that it may match ` +
        `${percent(bound)} (upper Clopper-Pearson limit, 99.9 %)`,
      against: "look-alikes",
      paysTries: true,
    },
    least: binomialTail(n, n, bound),
    rate: bound,
  };
}

/**
 * The rank of the key among keys that anybody can make: exact, since an innocent suspect cannot tell one drawn key from
 * another.
 */
export function strangersRank({ matches, n }: Matches, strangers: readonly Matches[]): TestResult {
  const share = matches / n;
  const asMany = strangers.filter((other) => other.matches / other.n >= share).length;
  return {
    test: {
      id: "strangers",
      title: "rank among strangers' keys",
      nullHypothesis:
        "the suspect knows nothing of this key, and could not tell it from keys that anybody draws by the " +
        "same scheme from " +
        "the same data.",
      pValue: (1 + asMany) / (strangers.length + 1),
      detail:
        `${asMany} of ${strangers.length} fresh keys of the same scheme, options and base data matched at ` +
        `least as well; ` +
        `the best of them ${percent(best(strangers))}`,
      against: "forgers",
      paysTries: true,
    },
    least: 1 / (strangers.length + 1),
  };
}

/** The binomial test at the rate at which strangers' keys match (for drawn labels, whose matches are independent). */
export function strangersBound({ matches, n }: Matches, strangers: readonly Matches[], chance: number): TestResult {
  const pooled = strangers.reduce((sum, other) => ({ matches: sum.matches + other.matches, n: sum.n + other.n }));
  const bound = Math.max(chance, upper(pooled));
  return {
    test: {
      id: "strangers",
      title: "binomial test at the rate of strangers' keys",
      nullHypothesis:
        "the suspect knows nothing of this key, and matches it no more often than keys that anybody draws " +
        "by the same scheme " +
        `from the same data: ${percent(bound)} of the triggers.`,
      pValue: binomialTail(matches, n, bound),
      detail:
        `${strangers.length} fresh keys of the same scheme, options and base data were matched ${pooled.matches} of ` +
        `${pooled.n} times, the best of them ${percent(best(strangers))}`,
      against: "forgers",
      paysTries: true,
    },
    least: binomialTail(n, n, bound),
    rate: bound,
  };
}

function upper({ matches, n }: Matches): number {
  return clopperPearson(matches, n, BOUND)[1];
}

function most(others: readonly Matches[]): number {
  return others.reduce((found, { matches }) => Math.max(found, matches), 0);
}

function best(others: readonly Matches[]): number {
  return others.reduce((found, { matches, n }) => Math.max(found, matches / n), 0);
}

function countOnes(values: Uint8Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
