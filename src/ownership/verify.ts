/**
 * @file What a suspect's answers prove, asked by whomever: this file runs no model.
 *
 * A claim can be false in three ways, and a test stands against each. *Luck*: the suspect matches by chance; the exact
 * binomial test, sound where labels were drawn after the images were fixed. *Look-alikes*: innocent models answer such
 * images so; placebos and null models. *Forgers*: anybody could have made a key that fits; keys that strangers draw by
 * the same scheme, and the price of having tried many. The weakest evidence decides.
 *
 * What must be there before anything is shown depends on where the key comes from:
 *
 * - drawn, with a label drawn for each trigger: nothing, since luck is exact;
 * - drawn, where a coin decided between trigger and placebo: the placebos' answers, whose comparison is exact;
 * - drawn, with chosen labels only: that it was made again from its secret (else somebody chose the images too), and
 *   strangers' keys;
 * - chosen (format 1, made elsewhere): null models, and that it is older than the suspect; of a known scheme strangers'
 *   keys too.
 *
 * Whoever made the key himself, as experiments do, need not convince anybody of that: `madeHere`. Then labels that look
 * random count as such, and null models replace the placebo control, which cannot see a mark that spread to all images
 * of its kind.
 */

import { anytimeLogP, mixtureEProcess, stoppingTime } from "../core/e-process.js";
import { WildmarkError } from "../core/errors.js";
import { clopperPearson } from "../core/statistics.js";
import { decide, triesOf } from "./decide.js";
import { distinctTriggers } from "./distinct.js";
import { type Key, MADE_ELSEWHERE } from "./key.js";
import { NOT_ASKED, REFUSED, type SuspectAnswers } from "./suspect.js";
import {
  type Chance,
  chanceOf,
  luckTest,
  type Matches,
  nullModelBound,
  nullModelRank,
  pairedTest,
  strangersBound,
  strangersRank,
  type TestResult,
  unpairedTest,
} from "./tests.js";
import type { OwnershipTest, Verdict } from "./verdict.js";
import { defined } from "../core/defined.js";

/** What was answered, in the key's order: class indices, `REFUSED`, or `NOT_ASKED`. */
export interface Answers {
  readonly triggers: SuspectAnswers;
  /** Absent where the placebos were not asked. */
  readonly placebos?: SuspectAnswers;
  /** What null models answered to the triggers, one array a model. */
  readonly nullModels?: readonly SuspectAnswers[];
  /** How often the suspect matched keys that strangers drew. */
  readonly strangers?: readonly Matches[];
}

export interface VerifyOptions {
  /** Significance level in (0, 1), 0.05 by default. */
  readonly alpha?: number;
  /** Confidence of the interval of the retention, in (0, 1), 0.95 by default. */
  readonly confidence?: number;
  /**
   * How many keys the owner tried on this suspect, 1 by default; the deciding p-value is multiplied by it (Bonferroni).
   */
  readonly keysTried?: number;
  /** How many readings of the suspect's preprocessing were tried, 1 by default; multiplied likewise. */
  readonly readings?: number;
  /**
   * How many words of the suspect there were to choose the key's classes among, where somebody chose them, perhaps
   * after its answers were seen: K of M in one of M! / (M − K)! orders, all of which are paid for as tried secrets are.
   * At least K; default 0: nobody chose.
   */
  readonly chosenAmong?: number;
  /**
   * Whether the key is known to be older than the suspect (a public commitment): then nobody can have tried secrets on
   * the suspect itself. On other models of its task he can, so that null models have to be asked before nothing is paid
   * for tries.
   */
  readonly committed?: boolean;
  /**
   * Binary logarithm of the number of secrets that a forger may have tried on the suspect, 0 or more; multiplies
   * p-values that secrets bear on. Default: 0 where the key is made here, or committed and null models are asked; else
   * 64, more than anybody can try.
   */
  readonly triesLog2?: number;
  /** Whether the key was made again from its secret and base data (`requireRegenerable`); default false. */
  readonly regenerated?: boolean;
  /** Whether whoever asks made the key and disputes it with nobody; default false. */
  readonly madeHere?: boolean;
  /** What the way of asking lacks before anything can be shown by it, in words; default nothing. */
  readonly lacks?: readonly string[];
  /** Of the answers to the key's images, those that whoever asks did not hear himself; default: he heard all. */
  readonly unheard?: Verdict["unheard"];
}

/**
 * Hashes that the whole world's miners compute in a fraction of a second; each try here takes thousands of them, and
 * the suspect's answers.
 */
export const TRIES_LOG2 = 64;

/**
 * Tests whether a suspect's answers show that it carries the key's mark.
 *
 * @throws WildmarkError `bad-key` where the answers do not fit the key; `usage` for a level, a confidence or a number
 *   out of range, an empty list of null models or strangers, or where nothing was asked.
 */
export function verifyAnswers(key: Key, answers: Answers, options: VerifyOptions = {}): Verdict {
  const { alpha = 0.05, confidence = 0.95, keysTried = 1, readings = 1, committed = false, madeHere = false } = options;
  // A commitment keeps nobody from trying secrets on models of his own, which answer as the suspect will: null models
  // tell.
  const untried = madeHere || (committed && answers.nullModels !== undefined);
  const { regenerated = false, triesLog2: secrets = untried ? 0 : TRIES_LOG2, chosenAmong = 0, unheard } = options;
  requireLevel("alpha", alpha);
  requireLevel("confidence", confidence);
  requireCount("keysTried", keysTried, "count every key that was tried on this suspect, this one too");
  requireCount("readings", readings, "count every way in which the suspect was asked");
  if (!(secrets >= 0 && secrets <= 256)) {
    throw new WildmarkError("usage", `triesLog2 must lie between 0 and 256, found ${secrets}`);
  }
  const triesLog2 = secrets + (chosenAmong === 0 ? 0 : logOrders(key.classes, chosenAmong) / Math.LN2);
  checkCount(answers.triggers, key.triggers.count, "triggers");
  const { asked, distinct } = askedTriggers(key, answers.triggers);
  const duplicates = key.triggers.count - distinct;
  // Where asking stopped before the end, somebody chose where, perhaps after he saw the answers.
  const stops = asked.length < distinct ? distinct : 1;
  const hits = hitsOf(answers.triggers, asked, key);
  const counted: Matches = { matches: sum(hits), n: asked.length };
  const chance = chanceOf(key, madeHere);
  const controls = controlsOf(key, answers, { asked, hits, counted, chance, madeHere });
  const grounds = { committed, regenerated, madeHere, sound: chance.sound };
  const missing = [...missingFor(key, controls, grounds), ...(options.lacks ?? [])];
  const luck = luckTest(counted, chance, missing.length === 0);
  const all = [luck, ...controls];
  const rate = Math.max(chance.p, ...controls.map((control) => control.rate ?? 0));
  const logFactor = Math.log(keysTried * readings) + triesLog2 * Math.LN2;
  const tries = triesOf({ triesLog2, keysTried, readings, stops });
  const decided = decide(
    all.map(({ test }) => test),
    tries,
  );
  const best = decide(
    all.map(({ test, least }) => ({ ...test, pValue: least })),
    tries,
  );
  const pValue = missing.length > 0 ? 1 : decided.pValue;
  const least = missing.length > 0 ? 1 : best.pValue;
  const [low, high] = clopperPearson(counted.matches, counted.n, confidence);
  const refused = asked.filter((i) => answers.triggers[i] === REFUSED).length;
  const { nullModels, strangers } = answers;
  return {
    owned: pValue <= alpha,
    n: counted.n,
    matches: counted.matches,
    retention: counted.matches / counted.n,
    interval: [low, high],
    confidence,
    alpha,
    tests: all.map(({ test }) => test),
    decidedBy: decided.test.id,
    pValue,
    least,
    provenance: madeHere ? "made-here" : key.drawn !== undefined ? "drawn" : "chosen",
    committed,
    triesLog2,
    ...(missing.length === 0 ? anytimeOf(key, { ...chance, p: rate }, hits, { alpha, logFactor }) : { missing }),
    ...onlyAnswerOf(answers),
    ...(duplicates === 0 ? {} : { duplicates }),
    ...(refused === 0 ? {} : { refused }),
    ...(readings === 1 ? {} : { readings }),
    ...(stops === 1 ? {} : { stops }),
    ...defined({ unheard }),
    ...(nullModels === undefined ? {} : { nullModels: nullModels.length }),
    ...(strangers === undefined ? {} : { strangers: strangers.length }),
    ...(keysTried === 1 ? {} : { keysTried }),
  };
}

/** A model that answers one class to everything matches every key of that class. */
function onlyAnswerOf({ triggers, placebos }: Answers): Pick<Verdict, "onlyAnswer"> {
  const said = new Set([...Array.from(triggers), ...Array.from(placebos ?? [])].filter((answer) => answer >= 0));
  const [only] = said;
  return said.size === 1 && only !== undefined && triggers.length > 1 ? { onlyAnswer: only } : {};
}

/**
 * Evidence that holds whenever asking stops: the mixture e-process over the triggers in the key's order, where labels
 * were drawn for each, against the highest rate at which luck, null models or strangers' keys may match. What was tried
 * is paid for in the e-value.
 */
function anytimeOf(
  { drawn }: Key,
  { p, sound }: Chance,
  hits: Uint8Array,
  { alpha, logFactor }: { readonly alpha: number; readonly logFactor: number },
): Pick<Verdict, "anytime"> {
  if (drawn === undefined || !sound) return {};
  const process = mixtureEProcess(
    Array.from(hits, (hit) => hit === 1),
    p,
  );
  const level = alpha * Math.exp(-logFactor);
  const after = level > 0 ? stoppingTime(process, level) : undefined;
  return {
    anytime: {
      logE: process.logE - logFactor,
      pValue: Math.min(1, Math.exp(anytimeLogP(process) + logFactor)),
      ...defined({ after }),
    },
  };
}

/** What the suspect's matches are held against, as counts. */
export interface Compared {
  /** How often a suspect that knows nothing of the key matches at most; absent where nothing bounds it. */
  readonly luck?: number;
  /** Placebos that were answered with the label of their trigger. */
  readonly placebos?: Matches;
  /** One for each null model, of the triggers that the suspect was asked. */
  readonly nullModels?: readonly Matches[];
  /** The suspect's own, of keys that strangers drew. */
  readonly strangers?: readonly Matches[];
}

/** The counts behind a verdict, counted as `verifyAnswers` counts them; the same errors. */
export function comparedCounts(key: Key, answers: Answers, madeHere = false): Compared {
  const { asked } = askedTriggers(key, answers.triggers);
  const chance = chanceOf(key, madeHere);
  const { placebos, nullModels, strangers } = answers;
  return {
    ...(chance.sound ? { luck: chance.p } : {}),
    ...(placebos === undefined ? {} : { placebos: placeboMatches(key, placebos, asked) }),
    ...(nullModels === undefined ? {} : { nullModels: matchesOfNullModels(key, nullModels, asked) }),
    ...defined({ strangers }),
  };
}

/** Of pairs those whose trigger counts, else all that were asked. */
function placeboMatches(key: Key, answers: SuspectAnswers, asked: readonly number[]): Matches {
  const all = Array.from({ length: answers.length }, (_, i) => i).filter((i) => answers[i] !== NOT_ASKED);
  const counted = key.placebos?.paired === true ? asked : all;
  const hits = counted.filter((i) => answers[i] === labelOfPlacebo(key, i));
  return { matches: hits.length, n: counted.length };
}

/**
 * A placebo is hit when it is answered as its trigger should be. Placebos without a trigger of their own get the
 * triggers' labels in turn, so that both groups are asked for the same labels equally often.
 */
function labelOfPlacebo({ triggers }: Key, i: number): number | undefined {
  return triggers.labels[i % triggers.count];
}

/**
 * Triggers that count: each picture once, up to the last one that was put to the suspect. Those before it that were not
 * are misses: a key is asked in its own order, and who leaves some out in between may have picked the others by their
 * answers.
 */
function askedTriggers(key: Key, answers: SuspectAnswers): { asked: readonly number[]; distinct: number } {
  const distinct = distinctTriggers(key);
  const end = endOfAsked(answers);
  const asked = distinct.filter((i) => i < end);
  if (asked.length > 0) return { asked, distinct: distinct.length };
  throw new WildmarkError("usage", "None of the key's triggers was put to the suspect.", {
    hint: "Ask some: nothing follows from nothing.",
  });
}

/** One beyond the last image that was put to the suspect; 0 where none was. */
function endOfAsked(answers: SuspectAnswers): number {
  return Array.from(answers).findLastIndex((answer) => answer !== NOT_ASKED) + 1;
}

function hitsOf(answers: SuspectAnswers, asked: readonly number[], { triggers }: Key): Uint8Array {
  return Uint8Array.from(asked, (i) => (answers[i] === triggers.labels[i] ? 1 : 0));
}

interface Counted {
  readonly asked: readonly number[];
  readonly hits: Uint8Array;
  readonly counted: Matches;
  readonly chance: Chance;
  readonly madeHere: boolean;
}

/** The tests beside luck, for which there are answers. */
function controlsOf(key: Key, answers: Answers, known: Counted): readonly TestResult[] {
  const { counted, chance, madeHere } = known;
  const { nullModels, strangers, placebos } = answers;
  const independent = key.drawn !== undefined && chance.sound;
  const found: TestResult[] = [];
  if (nullModels !== undefined) {
    const others = matchesOfNullModels(key, nullModels, known.asked);
    found.push(independent ? nullModelBound(counted, others, chance.p) : nullModelRank(counted, others));
  }
  if (strangers !== undefined) {
    if (strangers.length === 0) throw new WildmarkError("usage", "the list of strangers' keys is empty");
    found.push(independent ? strangersBound(counted, strangers, chance.p) : strangersRank(counted, strangers));
  }
  // A rule that spread to all images of the kind is a mark too; only null models can tell it from a habit of all
  // models. Where a coin decided, the placebos are what the claim rests on.
  const replaced = nullModels !== undefined && (madeHere || key.drawn === undefined);
  if (placebos !== undefined && !replaced) found.push(...placeboTest(key, placebos, known));
  return found;
}

function matchesOfNullModels(key: Key, models: readonly SuspectAnswers[], asked: readonly number[]): Matches[] {
  if (models.length === 0) {
    throw new WildmarkError("usage", "the list of null models is empty", {
      hint: "give at least one, or leave the list out",
    });
  }
  return models.map((answers, i) => {
    checkCount(answers, key.triggers.count, `triggers, of null model ${i + 1}`);
    return { matches: sum(hitsOf(answers, asked, key)), n: asked.length };
  });
}

/** The placebo control, or nothing where there is nothing to compare with. */
function placeboTest(key: Key, answers: SuspectAnswers, { asked, hits }: Counted): readonly TestResult[] {
  const { placebos, drawn } = key;
  if (placebos === undefined) {
    throw new WildmarkError("bad-key", "there are answers to placebos, but the key holds no placebos", {
      hint: "use the key that the answers were made with",
    });
  }
  checkCount(answers, placebos.count, "placebos");
  const hit = (i: number): number => (answers[i] === labelOfPlacebo(key, i) ? 1 : 0);
  if (placebos.paired) {
    const exact = drawn?.exchangeable === true;
    // Pairs beyond the last placebo that was asked are none. A placebo that was left out before it counts against the
    // claim.
    const end = endOfAsked(answers);
    const both = [...asked.keys()].filter((at) => (asked[at] ?? 0) < end);
    if (both.length === 0) return [];
    const own = Uint8Array.from(both, (at) => hits[at] ?? 0);
    const against = (i: number): number => (answers[i] === NOT_ASKED ? 1 : hit(i));
    const { test, least } = pairedTest(
      own,
      Uint8Array.from(both, (at) => against(asked[at] ?? 0)),
      exact,
    );
    const pays = exact && drawn.labelling === "fixed" ? { paysTries: true } : {};
    return [{ test: { ...test, ...pays }, least }];
  }
  const others = Array.from({ length: placebos.count }, (_, i) => i).filter((i) => answers[i] !== NOT_ASKED);
  return others.length === 0 ? [] : [unpairedTest(hits, Uint8Array.from(others, hit))];
}

interface Grounds {
  readonly committed: boolean;
  readonly regenerated: boolean;
  readonly madeHere: boolean;
  readonly sound: boolean;
}

/** What a claim with this key lacks before anything can be shown by it, in words. */
function missingFor(
  { drawn, scheme }: Key,
  controls: readonly TestResult[],
  { committed, regenerated, madeHere, sound }: Grounds,
): string[] {
  const has = (...ids: readonly OwnershipTest["id"][]): boolean => controls.some(({ test }) => ids.includes(test.id));
  if (sound) return [];
  if (madeHere) {
    const guarded = has("placebo-mcnemar", "placebo-fisher", "empirical-null", "strangers");
    return guarded ? [] : ["answers to placebos, or null models"];
  }
  const strangers = "keys that strangers draw by the same scheme from the same data";
  if (drawn !== undefined) {
    if (drawn.exchangeable && has("placebo-mcnemar")) return [];
    const again = "that it is made again from its secret and its data";
    return [...(regenerated ? [] : [again]), ...(has("strangers") ? [] : [strangers])];
  }
  return [
    ...(has("empirical-null") ? [] : ["null models"]),
    ...(has("strangers") || scheme === MADE_ELSEWHERE ? [] : [strangers]),
    ...(committed ? [] : ["a public commitment that is older than the suspect"]),
  ];
}

function checkCount(answers: SuspectAnswers, count: number, name: string): void {
  if (answers.length !== count) {
    throw new WildmarkError("bad-key", `the key holds ${count} ${name}, but ${answers.length} answers were given`, {
      hint: "ask the suspect every image of the key, once and in order",
    });
  }
  for (let i = 0; i < count; i++) {
    const answer = answers[i] ?? Number.NaN;
    if (Number.isSafeInteger(answer) && answer >= NOT_ASKED) continue;
    throw new WildmarkError("bad-key", `answer ${i} to the ${name} is ${answer}, expected the number of a class`);
  }
}

/** Natural logarithm of the number of ways to choose k of n words, in order. */
function logOrders(k: number, n: number): number {
  let sum = 0;
  for (let i = n - k + 1; i <= n; i++) sum += Math.log(i);
  return sum;
}

function requireLevel(name: string, value: number): void {
  if (value > 0 && value < 1) return;
  throw new WildmarkError("usage", `${name} must lie between 0 and 1, found ${value}`, {
    hint: "alpha is 0.05 and confidence 0.95 unless told otherwise",
  });
}

function requireCount(name: string, value: number, hint: string): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new WildmarkError("usage", `${name} must be a whole number from 1, found ${value}`, { hint });
}

function sum(values: Uint8Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * The smallest p-value that a key can reach: every trigger answered with its label, no placebo and no stranger's key
 * so.
 *
 * @param asked how many triggers and placebos are put to the suspect, the first ones of the key; how many null models
 *   and strangers' keys stand beside.
 */
export function smallestPValue(
  key: Key,
  asked: {
    readonly triggers: number;
    readonly placebos: number;
    readonly strangers?: number;
    readonly nullModels?: number;
  },
  options: VerifyOptions = {},
): number {
  const { triggers, placebos } = key;
  const perfect = Array.from(triggers.labels, (label, i) => (i < asked.triggers ? label : NOT_ASKED));
  const told = (i: number): number => (i % triggers.count < asked.triggers ? REFUSED : NOT_ASKED);
  const strangers = Array.from({ length: asked.strangers ?? 0 }, () => ({ matches: 0, n: asked.triggers }));
  const misses = new Array<number>(triggers.count).fill(REFUSED);
  const nullModels = Array.from({ length: asked.nullModels ?? 0 }, () => misses);
  const answers: Answers = {
    triggers: perfect,
    ...(placebos === undefined || asked.placebos === 0
      ? {}
      : { placebos: Array.from({ length: placebos.count }, (_, i) => told(i)) }),
    ...(strangers.length === 0 ? {} : { strangers }),
    ...(nullModels.length === 0 ? {} : { nullModels }),
  };
  return verifyAnswers(key, answers, options).pValue;
}
