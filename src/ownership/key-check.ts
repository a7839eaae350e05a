/**
 * @file What a judge asks of a key before any suspect: who made it, can it be made again, do innocent models fit it,
 * and what could it prove at best?
 *
 * Against false claims (Liu et al., USENIX Security 2024) the paper names verifiable triggers and models of the judge's
 * own. Both are here. A key that convicts any model which cannot carry its mark is void, whatever it shows on a
 * suspect.
 */

import { WildmarkError } from "../core/errors.js";
import { firstOfDuplicates } from "../core/near-duplicates.js";
import { imageSize } from "../data/dataset.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { findMark } from "../watermarks/registry.js";
import { distinctTriggers } from "./distinct.js";
import type { BaseData } from "./draw-key.js";
import { type Key, MADE_ELSEWHERE } from "./key.js";
import { labelDesign } from "./label-design.js";
import { type NullModel, requireNullModels } from "./null-models.js";
import { requireRegenerable } from "./regenerate.js";
import { STRANGERS, strangersKeys } from "./strangers.js";
import { modelSuspect, REFUSED } from "./suspect.js";
import { chanceOf } from "./tests.js";
import { formatPValue } from "./verdict.js";
import { type Answers, TRIES_LOG2, type VerifyOptions, verifyAnswers } from "./verify.js";
import { askSuspect } from "./verify-model.js";
import { percent } from "../core/percent.js";

/** More null models or strangers' keys than this nobody is expected to have. */
const MOST_ASSUMED = 999;

export interface KeyCheckOptions {
  /** What the key was drawn from: it is made again, and strangers' keys are drawn beside it. */
  readonly base?: BaseData;
  /** Models that cannot carry the mark: ten or more, of other architectures and seeds. */
  readonly nullModels?: readonly NullModel[];
  /** How many strangers' keys the null models are asked, where there are base data; 19 by default. */
  readonly strangers?: number;
  /** Significance level in (0, 1), 0.05 by default. */
  readonly alpha?: number;
  readonly runtime?: RuntimeOptions;
}

/** One question of the judge's, and what was found. */
export interface KeyFinding {
  readonly id: "provenance" | "regenerable" | "distinct" | "labels" | "null-models" | "strangers";
  readonly question: string;
  /** Whether it speaks for the key; null where it was not tested, or says nothing either way. */
  readonly good: boolean | null;
  readonly text: string;
}

/** What a key can prove at best, on a suspect that answers every trigger with its label. */
export interface KeyPower {
  /** The smallest p-value; 1 where nothing can be shown. */
  readonly pValue: number;
  /** How many triggers must be answered with their labels for alpha; null where all of them do not suffice. */
  readonly matchesNeeded: number | null;
  /** What must be there beside the key before anything is shown. */
  readonly needs: readonly string[];
}

export interface KeyCheck {
  /** Whether the key can prove something at alpha, and nothing was found that voids it. */
  readonly sound: boolean;
  /** Why not. */
  readonly void: readonly string[];
  readonly alpha: number;
  readonly triggers: number;
  /** Triggers that count: the first of each group of near-duplicates. */
  readonly distinct: number;
  readonly findings: readonly KeyFinding[];
  /** Where a commitment is older than the suspect, and where there is none. */
  readonly committed: KeyPower;
  readonly uncommitted: KeyPower;
  /** What null models answer, each by its name. */
  readonly nullModels: readonly NullModelFinding[];
}

export interface NullModelFinding {
  readonly name: string;
  readonly matches: number;
  /** That the key shows ownership of it, where nobody disputes how the key came about. */
  readonly pValue: number;
  readonly convicted: boolean;
}

/**
 * Looks at a key as a judge would.
 *
 * @throws WildmarkError `bad-data` where the base data are not those of the key; `usage`, `bad-key` as
 *   `requireNullModels`.
 */
export async function checkKey(key: Key, options: KeyCheckOptions = {}): Promise<KeyCheck> {
  const { alpha = 0.05, base, nullModels = [], runtime } = options;
  requireNullModels(undefined, key, nullModels);
  const again = await regenerable(key, base);
  const answered: Answered[] = [];
  for (const { name, model } of nullModels) {
    answered.push({ name, ...(await askSuspect(modelSuspect(model, name, runtime), key)) });
  }
  const convictions = convictionsOf(key, answered, alpha);
  const distinct = distinctTriggers(key).length;
  const power = (committed: boolean): KeyPower =>
    powerOf(key, answered, { committed, alpha, regenerated: again.good !== false });
  const [committed, uncommitted] = [power(true), power(false)];
  const convicted = convictions.filter((each) => each.convicted);
  const reasons = [
    ...(again.good === false ? ["it cannot be made again from its secret and the data"] : []),
    ...(convicted.length > 0 ? [`it convicts ${convicted.length} of ${nullModels.length} null models`] : []),
    ...(committed.pValue > alpha ? [`whatever a suspect answers, it shows nothing at ${alpha}`] : []),
  ];
  return {
    sound: reasons.length === 0,
    void: reasons,
    alpha,
    triggers: key.triggers.count,
    distinct,
    findings: [
      provenance(key),
      again,
      distinctImages(key, distinct),
      labels(key),
      nullModelsFinding(key, convictions),
      await strangersFinding(key, options, answered),
    ],
    committed,
    uncommitted,
    nullModels: convictions,
  };
}

interface Answered extends Pick<Answers, "triggers" | "placebos"> {
  readonly name: string;
}

function provenance({ drawn, scheme }: Key): KeyFinding {
  const question = "Did somebody choose what it holds?";
  if (drawn === undefined) {
    const text = "chosen: nothing follows from a secret, so whoever made it may have looked for what suspects answer";
    return { id: "provenance", question, good: false, text };
  }
  const [what, rest] =
    drawn.labelling === "fixed"
      ? ["images", "its labels are chosen, one rule for all, so that matching them is no matter of luck"]
      : ["labels", "each label follows from the secret and from all images, so nobody chose it"];
  const where = scheme === MADE_ELSEWHERE ? "for images that were made elsewhere" : `by the ${scheme} scheme`;
  return { id: "provenance", question, good: true, text: `no: its ${what} were drawn ${where}; ${rest}` };
}

async function regenerable(key: Key, base: BaseData | undefined): Promise<KeyFinding> {
  const found = (good: boolean | null, text: string): KeyFinding => ({
    id: "regenerable",
    question: "Can it be made again from its secret, byte for byte?",
    good,
    text,
  });
  if (key.drawn === undefined) return found(null, "no: it was not drawn");
  if (key.scheme === MADE_ELSEWHERE) return found(null, "its images cannot: they were made elsewhere; its labels were");
  if (base === undefined) return found(null, "not tested: give the data that it was drawn from");
  try {
    await requireRegenerable(key, base, "the key");
    return found(true, "yes: images, labels and placebos are those that its secret gives with these data");
  } catch (error) {
    if (!(error instanceof WildmarkError) || error.code !== "bad-key") throw error;
    return found(false, `no: ${error.message}`);
  }
}

function distinctImages({ triggers, shape }: Key, distinct: number): KeyFinding {
  const size = imageSize(shape);
  const rows = Array.from({ length: triggers.count }, (_, i) =>
    Buffer.from(triggers.images.subarray(i * size, (i + 1) * size)).toString("latin1"),
  );
  const exact = new Set(rows).size;
  const near = new Set(firstOfDuplicates(triggers.images, triggers.count, size)).size;
  const text =
    near === triggers.count
      ? `yes: ${triggers.count}, no two of them alike`
      : `${exact} of ${triggers.count} differ at all, ${near} by more than a copy does; ${distinct} count`;
  return { id: "distinct", question: "Are its triggers different images?", good: near === triggers.count, text };
}

function labels({ drawn, triggers, classes, sourceLabels }: Key): KeyFinding {
  const question = "Are its labels random, or what the images show?";
  if (drawn !== undefined && drawn.labelling !== "fixed") {
    const from =
      drawn.labelling === "wrong"
        ? `the ${classes - 1} classes that are not the image's own`
        : `all ${classes} classes`;
    return { id: "labels", question, good: true, text: `random by construction: each drawn from ${from}` };
  }
  const design = labelDesign(triggers.labels, classes, sourceLabels);
  const text = design.random
    ? "they look random, which nothing shows: images can be found for any labels"
    : `${design.text}: an innocent model that ${design.favouredBy} matches them too`;
  return { id: "labels", question, good: false, text };
}

/**
 * What each null model answers, judged as if nobody disputed how the key came about: by luck alone, and beside the
 * placebos. The smaller p-value counts, twice (Bonferroni), and convicts at alpha divided by the number of models.
 */
function convictionsOf(key: Key, answered: readonly Answered[], alpha: number): NullModelFinding[] {
  return answered.map(({ name, ...answers }) => {
    const { triggers, placebos } = answers;
    const luck = verifyAnswers(key, { triggers }, { madeHere: true });
    const beside = placebos === undefined ? undefined : verifyAnswers(key, answers, { madeHere: true });
    const pValue = beside === undefined ? luck.pValue : Math.min(1, 2 * Math.min(luck.pValue, beside.pValue));
    return { name, matches: luck.matches, pValue, convicted: pValue <= alpha / answered.length };
  });
}

function nullModelsFinding(key: Key, found: readonly NullModelFinding[]): KeyFinding {
  const question = "Do models that cannot carry the mark fit it?";
  if (found.length === 0) {
    const text = "not tested: give null models, ten or more, trained without the mark";
    return { id: "null-models", question, good: null, text };
  }
  const n = distinctTriggers(key).length;
  const chance = chanceOf(key, false).p;
  const most = Math.max(...found.map(({ matches }) => matches));
  const mean = found.reduce((sum, { matches }) => sum + matches, 0) / found.length;
  const convicted = found.filter((each) => each.convicted);
  const counts =
    `they match ${number(mean)} of ${n} triggers on average, ${most} at most; ` +
    `${number(n * chance)} expected by luck`;
  const [worst] = convicted.toSorted((a, b) => a.pValue - b.pValue);
  const text =
    worst === undefined
      ? `no: none of ${found.length} is convicted; ${counts}`
      : `yes: it convicts ${convicted.length} of ${found.length}, ${worst.name} at ` +
        `${formatPValue(worst.pValue)}; ${counts}`;
  return { id: "null-models", question, good: worst === undefined, text };
}

/** Null models are asked fresh keys of the scheme too: where those fit them, the scheme fits innocent models. */
async function strangersFinding(
  key: Key,
  { base, nullModels = [], strangers = STRANGERS, runtime, alpha = 0.05 }: KeyCheckOptions,
  answered: readonly Answered[],
): Promise<KeyFinding> {
  const question = "Do they fit it better than keys that anybody draws?";
  const not = (why: string): KeyFinding => ({ id: "strangers", question, good: null, text: `not tested: ${why}` });
  if (key.scheme === MADE_ELSEWHERE) return not("keys like one that was made elsewhere cannot be drawn");
  if (base === undefined || nullModels.length === 0 || strangers === 0) {
    return not("give the data that the key was drawn from, and null models");
  }
  const others = await strangersKeys(findMark(key.scheme).choose(key.options), base, strangers);
  const shareOf = (asked: Key, models: readonly Answered[]): number =>
    models.reduce(
      (sum, { triggers }) => sum + asked.triggers.labels.filter((label, i) => label === triggers[i]).length,
      0,
    ) /
    (asked.triggers.count * models.length);
  const shares: number[] = [];
  let fits = 0;
  for (const other of others) {
    const asked: Answered[] = [];
    for (const { name, model } of nullModels) {
      asked.push({ name, ...(await askSuspect(modelSuspect(model, name, runtime), other)) });
    }
    shares.push(shareOf(other, asked));
    if (convictionsOf(other, asked, alpha / strangers).some(({ convicted }) => convicted)) fits++;
  }
  const own = shareOf(key, answered);
  const above = shares.filter((share) => share >= own).length;
  const text =
    `null models match ${percent(own)} of this key's triggers, and ${percent(Math.max(...shares))} of the best of ` +
    `${strangers} fresh keys of the scheme; ${above} of them are matched at least as well` +
    (fits > 0 ? `; ${fits} of the fresh keys convict null models: the scheme itself fits innocent models` : "");
  return { id: "strangers", question, good: fits === 0, text };
}

/** The best suspect for the owner, beside the null models and strangers' keys that there are or would have to be. */
function powerOf(
  key: Key,
  answered: readonly Answered[],
  {
    committed,
    alpha,
    regenerated,
  }: { readonly committed: boolean; readonly alpha: number; readonly regenerated: boolean },
): KeyPower {
  const { triggers, placebos, drawn, scheme } = key;
  const chosen = drawn === undefined;
  const coins = drawn?.exchangeable === true && placebos !== undefined;
  const fixed = drawn?.labelling === "fixed" && !coins;
  const needsStrangers = (chosen && scheme !== MADE_ELSEWHERE) || fixed;
  // As many as their ranks need for alpha.
  const enough = Math.min(MOST_ASSUMED, Math.max(STRANGERS, Math.ceil(1 / alpha) - 1));
  // A commitment saves paying for tries only beside null models: one where labels were drawn, else as many as their
  // ranks need.
  const wanted = chosen || (fixed && committed) ? enough : committed && drawn?.labelling !== "fixed" ? 1 : 0;
  const assumed = Math.max(0, wanted - answered.length);
  const nullModels = [...answered.map((each) => each.triggers), ...nobody(key, assumed)];
  const given: VerifyOptions = { alpha, committed, regenerated };
  const verdictAt = (matches: number) => {
    const answers: Answers = {
      triggers: Array.from(triggers.labels, (label, i) => (i < matches ? label : REFUSED)),
      ...(placebos === undefined ? {} : { placebos: new Array<number>(placebos.count).fill(REFUSED) }),
      ...(nullModels.length === 0 ? {} : { nullModels }),
      ...(needsStrangers
        ? { strangers: Array.from({ length: enough }, () => ({ matches: 0, n: triggers.count })) }
        : {}),
    };
    return verifyAnswers(key, answers, given);
  };
  const best = verdictAt(triggers.count);
  const needs = [
    ...(fixed ? ["to be made again from its secret and its data"] : []),
    ...(chosen || assumed > 0 ? [`null models: ${answered.length + assumed} (${assumed} of them assumed)`] : []),
    ...(needsStrangers ? [`${enough} strangers' keys of the scheme (assumed)`] : []),
    ...(best.missing ?? []),
  ];
  if (best.pValue > alpha) return { pValue: best.pValue, matchesNeeded: null, needs };
  let [low, high] = [0, triggers.count];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (verdictAt(middle).pValue <= alpha) high = middle;
    else low = middle;
  }
  return { pValue: best.pValue, matchesNeeded: verdictAt(high).matches, needs };
}

/** Null models that match nothing. */
function nobody({ triggers }: Key, count: number): readonly (readonly number[])[] {
  const answers = new Array<number>(triggers.count).fill(REFUSED);
  return Array.from({ length: count }, () => answers);
}

/** The check in plain lines, the answer first. */
export function describeKeyCheck(check: KeyCheck): string[] {
  const { sound, alpha, findings, committed, uncommitted, distinct } = check;
  const sign = { true: "+", false: "−", null: "?" } as const;
  const best = ({ pValue, matchesNeeded, needs }: KeyPower): string => {
    const beside = needs.length === 0 ? "" : `; needs ${needs.join(", ")}`;
    if (matchesNeeded === null)
      return pValue >= 1 ? `nothing${beside}` : `${formatPValue(pValue)}, above ${alpha}${beside}`;
    return `${formatPValue(pValue)}; ${matchesNeeded} of ${distinct} matches suffice for ${alpha}${beside}`;
  };
  return [
    sound
      ? `Sound: nothing speaks against this key, and it can show ownership at ${alpha}.`
      : `Not sound: ${check.void.join("; ")}.`,
    ...findings.flatMap(({ question, good, text }) => [`${sign[`${good}`]} ${question}`, `    ${text}`]),
    "What it can prove at best",
    `    with a public commitment that is older than the suspect: ${best(committed)}`,
    `    without one, where 2^${TRIES_LOG2} secrets may have been tried: ${best(uncommitted)}`,
  ];
}

function number(value: number): string {
  return String(Number(value.toFixed(1)));
}
