/**
 * @file Which reading of a model fits labelled images best: it is asked under each, and counted.
 *
 * Readings race. All are asked some images; those that another clearly beats drop out; the rest are asked more. All are
 * asked the same images, so two readings are compared by the images on which they differ (McNemar's exact test).
 *
 * Accuracy alone often leaves several: a network of photographs answers as well under a quarter more contrast. Among
 * those decides, first, batch normalisation, which remembers mean and variance of what it was given
 * (`norm-statistics.ts`). Second, the likelihood of the labels, which training made large under the reading that it was
 * done with, each at its own best temperature (C. Guo et al., On Calibration of Modern Neural Networks, 2017): how sure
 * of itself a network is says how long it was trained, and a larger contrast would pass for more training.
 */

import { randomStream, shuffle } from "../core/random.js";
import { clopperPearson, mcnemarExact } from "../core/statistics.js";
import type { Model } from "../onnx/model.js";
import { type Reading, sameReading } from "../onnx/readings.js";
import { type LabelledImages, select } from "./dataset.js";
import { statisticsMisfits } from "./norm-statistics.js";
import {
  ask,
  pairs,
  type Race,
  type RaceOptions,
  type Runner,
  releaseRace,
  rightOf,
  startRace,
} from "./reading-race.js";
import { evenly } from "./spread.js";
import { defined } from "../core/defined.js";

/** Luck explains a clear lead less often than this, however many readings there are. */
const CLEAR = 0.01;

/**
 * A clear lead is more than a hundredth of the images, and more than a tenth of those that are answered wrongly: a
 * network that has learnt little answers somewhat better under more contrast, whatever it learnt under.
 */
const CLEAR_LEAD = { ofImages: 0.01, ofWrong: 0.1 } as const;

/** A reading drops out where luck explains less often than this that another one leads. */
const DROPS_OUT = 1e-3;

/** After so many images, those that are clearly beaten drop out. */
const LOOKS = [50, 200, 1000] as const;

/** What a model answers under one reading. */
export interface ReadingScore {
  readonly reading: Reading;
  /** How many it was asked; fewer than others where it dropped out. */
  readonly images: number;
  readonly correct: number;
  readonly accuracy: number;
  /** Mean cross-entropy of the labels at the best temperature, in nats, 0 and more. */
  readonly crossEntropy: number;
  /**
   * How far what the first batch normalisation is given lies from what it was trained on, in nats a channel, 0 and more
   * (`statisticsMisfits`). Only of models that have one, and of readings whose accuracy is not told from the highest.
   */
  readonly misfit?: number;
  /**
   * How often luck alone would put any of as many readings so far before the used one, on the same images (Bonferroni).
   */
  readonly pValue: number;
  /** Whether it beats the used reading: p below 0.01, and a lead of a point and of a tenth of the errors at least. */
  readonly clearlyBetter: boolean;
  /** Whether it was asked to the end: nothing beat it clearly before. */
  readonly finished: boolean;
  /** Whether it may be the right one: neither accuracy nor statistics nor likelihood tell it from the best. */
  readonly plausible: boolean;
}

export interface ReadingScores {
  /** What is said or assumed: how the model is read unless told otherwise. */
  readonly used: ReadingScore;
  /**
   * Of those whose accuracy is not told from the highest (p ≥ 0.01), and then whose misfit is not told from the lowest,
   * the one with the lowest cross-entropy.
   */
  readonly best: ReadingScore;
  /** All under which the model can be asked, the best first, then by accuracy, those that dropped out last. */
  readonly scores: readonly ReadingScore[];
  /** Labelled images that were asked to the end. */
  readonly images: number;
}

/**
 * Asks up to 1,000 of the images, spread evenly over them, under every plausible reading.
 *
 * @throws WildmarkError as `askModel` does under the used reading; others that cannot be asked are left out.
 */
export async function bestReading(
  model: Model,
  images: LabelledImages,
  options: RaceOptions = {},
): Promise<ReadingScores> {
  const race = startRace(model, images, racedIndices(images), options);
  try {
    return await decided(race);
  } finally {
    await releaseRace(race);
  }
}

async function decided(race: Race): Promise<ReadingScores> {
  let from = 0;
  for (const look of LOOKS) {
    const to = Math.min(look, race.images.count);
    await ask(race, from, to);
    const running = race.runners.filter((runner) => runner.running);
    const leader = mostRight(race, running, to);
    for (const runner of running) {
      const behind = pairs(race, leader, runner, to);
      if (runner !== race.used && mcnemarExact(behind.won, behind.lost) < DROPS_OUT) runner.running = false;
    }
    from = to;
  }
  return scoresOf(race);
}

/**
 * Leads in accuracy that luck explains as often as this, however many readings there are, leave the choice to the rest.
 */
const TOLD_APART = 0.01;

/** Nats a channel by which statistics tell a reading from the one that they fit best: twice what chance adds. */
const STATISTICS_TELL = 0.001;

/** Standard errors by which a mean loss lies above the lowest where it is told from it. */
const LIKELIHOOD_TELLS = 3;

async function scoresOf(race: Race): Promise<ReadingScores> {
  const n = race.images.count;
  const able = race.runners.filter(({ failed }) => !failed);
  const finished = able.filter((runner) => runner.asked === n);
  const leader = mostRight(race, finished, n);
  const losses = new Map(able.map((runner) => [runner, calibratedLosses(race, runner)]));
  const lossOf = (runner: Runner): number => mean(losses.get(runner) ?? new Float64Array(0));
  const equals = finished.filter((runner) => {
    const { won, lost } = pairs(race, leader, runner, n);
    return mcnemarExact(won, lost) * finished.length >= TOLD_APART;
  });
  const misfits = await misfitsOf(race, equals);
  const fitting = fittingOf(equals, misfits);
  const best = fitting.reduce((likeliest, next) => (lossOf(next) < lossOf(likeliest) ? next : likeliest));
  const isPlausible = (runner: Runner): boolean => {
    const lowest = losses.get(best);
    const more = losses.get(runner)?.map((loss, i) => loss - (lowest?.[i] ?? 0));
    return fitting.includes(runner) && more !== undefined && mean(more) <= LIKELIHOOD_TELLS * standardError(more);
  };
  const score = (runner: Runner): ReadingScore => {
    const correct = rightOf(race, runner, 0, runner.asked);
    const { won, lost } = pairs(race, runner, race.used, runner.asked);
    const pValue = Math.min(1, mcnemarExact(won, lost) * Math.max(1, able.length - 1));
    const misfit = misfits.get(runner.reading);
    return {
      reading: runner.reading,
      images: runner.asked,
      correct,
      accuracy: correct / runner.asked,
      crossEntropy: lossOf(runner),
      ...defined({ misfit }),
      pValue,
      clearlyBetter: pValue < CLEAR && won - lost >= clearLead(race, runner.asked),
      finished: runner.asked === n,
      plausible: isPlausible(runner),
    };
  };
  const top = score(best);
  const others = able
    .filter((runner) => runner !== best)
    .map(score)
    .sort((a, b) => b.images - a.images || b.correct - a.correct || a.crossEntropy - b.crossEntropy);
  const scores = [top, ...others];
  const used = scores.find(({ reading }) => reading === race.used.reading);
  if (used === undefined) throw new Error("the used reading always runs to the end");
  return { used, best: top, scores, images: n };
}

function misfitsOf({ model, images, runtime }: Race, equals: readonly Runner[]): Promise<ReadonlyMap<Reading, number>> {
  const readings = equals.map(({ reading }) => reading);
  return statisticsMisfits(model, images, readings, runtime);
}

/** Those of equals that statistics do not tell from what they fit best; all where there are none. */
function fittingOf(equals: readonly Runner[], misfits: ReadonlyMap<Reading, number>): readonly Runner[] {
  const lowest = Math.min(...misfits.values());
  return equals.filter(({ reading }) => (misfits.get(reading) ?? 0) <= lowest + STATISTICS_TELL);
}

/** How many more images than the used reading one has to answer correctly to be clearly better. */
function clearLead(race: Race, n: number): number {
  const wrong = n - rightOf(race, race.used, 0, n);
  return Math.max(CLEAR_LEAD.ofImages * n, CLEAR_LEAD.ofWrong * wrong);
}

/** Of equals, the first. */
function mostRight(race: Race, runners: readonly Runner[], n: number): Runner {
  return runners.reduce(
    (best, next) => (rightOf(race, next, 0, n) > rightOf(race, best, 0, n) ? next : best),
    race.used,
  );
}

/**
 * Temperatures that are tried: the scores are divided by these. A grid first, because losses may have several hollows.
 */
const COLDEST = -4;
const HOTTEST = 6;

/** The cross-entropy of each label at the temperature that makes their mean smallest. */
function calibratedLosses({ images }: Race, { scores, asked: n }: Runner): Float64Array {
  const at = (exponent: number): Float64Array => {
    const sharpness = 2 ** -exponent;
    return Float64Array.from({ length: n }, (_, i) =>
      crossEntropy(scores[i] ?? new Float32Array(0), images.labels[i] ?? 0, sharpness),
    );
  };
  const exponents = Array.from({ length: HOTTEST - COLDEST + 1 }, (_, i) => COLDEST + i);
  const means = exponents.map((exponent) => mean(at(exponent)));
  const lowest = exponents[means.indexOf(Math.min(...means))] ?? 0;
  // Golden section between the neighbours.
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [lowest - 1, lowest + 1];
  while (high - low > 0.01) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (mean(at(left)) <= mean(at(right))) high = right;
    else low = left;
  }
  return at((low + high) / 2);
}

/** The softmax's, of logarithms of probabilities or what else differs from them by a number for each image. */
function crossEntropy(scores: Float32Array, label: number, sharpness: number): number {
  // Of a model that answers labels alone.
  if (scores.length === 0) return 0;
  let largest = Number.NEGATIVE_INFINITY;
  for (const score of scores) largest = Math.max(largest, score);
  let sum = 0;
  for (const score of scores) sum += Math.exp(sharpness * (score - largest));
  return Math.log(sum) - sharpness * ((scores[label] ?? 0) - largest);
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function standardError(values: Float64Array): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0)) / values.length;
}

/**
 * Images on which `mightBeBeaten` decides, and the lead that it looks for, as a share of them and of those answered
 * wrongly.
 */
const QUICK = { images: 500, ofImages: 0.02, ofWrong: 0.1 } as const;

/**
 * Readings under which black and white are nearer than this to the used one's, a share of the way between them, are no
 * doubt.
 */
const NEAR = 1 / 8;

/**
 * Whether any reading may be better than the used one by two points and a tenth of the errors, decided on 500 images:
 * what `bestReading` is worth asking for, where the used one is most likely right. Costs nothing where that answers 98
 * % correctly, and leaves out readings that differ by a little contrast alone.
 *
 * Only images that the used reading gets wrong can speak for another, so of these many are asked, of the others few. A
 * reading drops out as soon as bounds on what it can win and on what it loses (Clopper-Pearson, 95 % each) rule the
 * lead out.
 *
 * @param answered what the model answers to all the images as it is used.
 */
export async function mightBeBeaten(
  model: Model,
  images: LabelledImages,
  answered: ArrayLike<number>,
  options: RaceOptions = {},
): Promise<boolean> {
  const chosen = asked(images.count, QUICK.images);
  const isRight = (index: number): boolean => answered[index] === images.labels[index];
  const wrong = chosen.filter((index) => !isRight(index));
  const lead = Math.max(QUICK.ofImages * chosen.length, QUICK.ofWrong * wrong.length);
  if (wrong.length < lead) return false;
  const order = Uint32Array.from([...wrong, ...chosen.filter(isRight)]);
  // Readings that differ by as little as the statistics of so few images are no doubt here (`NEAR`).
  const race = startRace(model, images, order, { counted: select(images, order), ...options });
  for (const runner of race.runners) {
    runner.running = !sameReading(runner.reading, race.used.reading, images.shape, NEAR);
  }
  try {
    return await staysHopeful(race, wrong.length, lead);
  } finally {
    await releaseRace(race);
  }
}

/**
 * Whether any reading may still lead when all images are asked.
 *
 * @param wrong the first so many images of the race are those that the used reading gets wrong.
 */
async function staysHopeful(race: Race, wrong: number, lead: number): Promise<boolean> {
  const total = { wrong, right: race.images.count - wrong };
  let [seenWrong, seenRight] = [0, 0];
  const isHopeful = (runner: Runner): boolean => {
    const won = rightOf(race, runner, 0, seenWrong);
    const lost = seenRight - rightOf(race, runner, total.wrong, total.wrong + seenRight);
    const most = seenWrong === total.wrong ? won : bounds(won, seenWrong)[1] * total.wrong;
    const least = seenRight === total.right ? lost : bounds(lost, seenRight)[0] * total.right;
    return most - least >= lead;
  };
  const dropHopeless = (): void => {
    for (const runner of race.runners) runner.running &&= isHopeful(runner);
  };
  const stillRunning = (): boolean => race.runners.some(({ running }) => running);
  for (let to = 8; stillRunning() && (seenWrong < total.wrong || seenRight < total.right); to *= 2) {
    const [wrongTo, rightTo] = [Math.min(to, total.wrong), Math.min(to, total.right)];
    await ask(race, total.wrong + seenRight, total.wrong + rightTo);
    seenRight = rightTo;
    dropHopeless();
    await ask(race, seenWrong, wrongTo);
    seenWrong = wrongTo;
    dropHopeless();
  }
  return stillRunning();
}

/** One-sided at 95 % each. */
function bounds(successes: number, n: number): readonly [low: number, high: number] {
  return n === 0 ? [0, 1] : clopperPearson(successes, n, 0.9);
}

/** The images that `bestReading` asks to the end, in its order. */
export function racedIndices({ count }: LabelledImages): Uint32Array {
  return asked(count, LOOKS[2]);
}

/** The same. */
export function racedImages(images: LabelledImages): LabelledImages {
  return select(images, racedIndices(images));
}

/** Some images of a set, evenly spread, in an order of which every head is spread too; the same for every model. */
function asked(count: number, most: number): Uint32Array {
  return shuffle(evenly(count, most), randomStream(0, "readings"));
}
