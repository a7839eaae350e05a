/**
 * @file Which reading of a model fits labelled images best: it is asked under each, and counted.
 *
 * Readings race. All are asked some images; those that another clearly beats drop out; the rest are asked more. All are
 * asked the same images, so two readings are compared by the images on which they differ (McNemar's exact test).
 *
 * Accuracy alone often leaves several: a small network of digits answers as well under three times the contrast. Among
 * those the likelihood of the labels decides, which training made large under the reading that it was done with, each at its
 * own best temperature (C. Guo et al., On Calibration of Modern Neural Networks, 2017): how sure of itself a network is says
 * how long it was trained, and a larger contrast would pass for more training.
 */

import { WildmarkError } from "../core/errors.js";
import { randomStream, shuffle } from "../core/random.js";
import { clopperPearson, mcnemarExact } from "../core/statistics.js";
import type { Model } from "../onnx/model.js";
import type { Layout } from "../onnx/preprocessing.js";
import { pixelScaling, plausibleReadings, type Reading, readAs } from "../onnx/readings.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { askModel } from "../training/ask.js";
import { copied, imageAt, imageSize, type LabelledImages, select } from "./dataset.js";
import { pixelStatistics } from "./pixel-statistics.js";
import { evenly } from "./spread.js";

/** Luck explains a clear lead less often than this. */
const CLEAR = 1e-3;

/** A share of the images: a smaller lead is not clear, however sure it is. */
const CLEAR_MARGIN = 0.01;

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
  /** One-sided, on the same images: how often luck alone would put it so far before the used reading. */
  readonly pValue: number;
  /** Whether it beats the used reading: p below 0.001, and a lead of a point or more. */
  readonly clearlyBetter: boolean;
  /** Whether it was asked to the end: nothing beat it clearly before. */
  readonly finished: boolean;
  /** Whether it may be the right one: neither accuracy nor likelihood tell it from the best. */
  readonly plausible: boolean;
}

export interface ReadingScores {
  /** What is said or assumed: how the model is read unless told otherwise. */
  readonly used: ReadingScore;
  /** Of those whose accuracy is not told from the highest (p ≥ 0.01), the one with the lowest cross-entropy. */
  readonly best: ReadingScore;
  /** All under which the model can be asked, the best first, then by accuracy, those that dropped out last. */
  readonly scores: readonly ReadingScore[];
  /** Labelled images that were asked to the end. */
  readonly images: number;
}

export interface BestReadingOptions {
  readonly runtime?: RuntimeOptions;
  /** Whether readings that go against flags race too (`plausibleReadings`). */
  readonly againstFlags?: boolean;
}

/**
 * Asks up to 1,000 of the images, spread evenly over them, under every plausible reading.
 *
 * @throws WildmarkError as `askModel` does under the used reading; others that cannot be asked are left out.
 */
export async function bestReading(
  model: Model,
  images: LabelledImages,
  options: BestReadingOptions = {},
): Promise<ReadingScores> {
  const race = startRace(model, images, asked(images.count, LOOKS[2]), options);
  let from = 0;
  for (const look of LOOKS) {
    const to = Math.min(look, race.images.count);
    await ask(race, from, to);
    const running = race.runners.filter((runner) => runner.running);
    const leader = mostRight(race, running, to);
    for (const runner of running) {
      const behind = pairs(race, leader, runner, to);
      if (runner !== race.used && mcnemarExact(behind.won, behind.lost) < CLEAR) runner.running = false;
    }
    from = to;
  }
  return scoresOf(race);
}

/** Leads in accuracy that luck explains as often as this are left to the likelihood. */
const TOLD_APART = 0.01;

/** Standard errors by which a mean loss lies above the lowest where it is told from it. */
const LIKELIHOOD_TELLS = 3;

function scoresOf(race: Race): ReadingScores {
  const n = race.images.count;
  const able = race.runners.filter(({ failed }) => !failed);
  const finished = able.filter((runner) => runner.asked === n);
  const leader = mostRight(race, finished, n);
  const losses = new Map(able.map((runner) => [runner, calibratedLosses(race, runner)]));
  const lossOf = (runner: Runner): number => mean(losses.get(runner) ?? new Float64Array(0));
  const equals = finished.filter((runner) => {
    const { won, lost } = pairs(race, leader, runner, n);
    return mcnemarExact(won, lost) >= TOLD_APART;
  });
  const best = equals.reduce((likeliest, next) => (lossOf(next) < lossOf(likeliest) ? next : likeliest), leader);
  const isPlausible = (runner: Runner): boolean => {
    const lowest = losses.get(best);
    const more = losses.get(runner)?.map((loss, i) => loss - (lowest?.[i] ?? 0));
    return equals.includes(runner) && more !== undefined && mean(more) <= LIKELIHOOD_TELLS * standardError(more);
  };
  const score = (runner: Runner): ReadingScore => {
    const correct = rightOf(race, runner, 0, runner.asked);
    const { won, lost } = pairs(race, runner, race.used, runner.asked);
    const pValue = mcnemarExact(won, lost);
    return {
      reading: runner.reading,
      images: runner.asked,
      correct,
      accuracy: correct / runner.asked,
      crossEntropy: lossOf(runner),
      pValue,
      clearlyBetter: pValue < CLEAR && won - lost >= CLEAR_MARGIN * runner.asked,
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

/** Of equals, the first. */
function mostRight(race: Race, runners: readonly Runner[], n: number): Runner {
  return runners.reduce(
    (best, next) => (rightOf(race, next, 0, n) > rightOf(race, best, 0, n) ? next : best),
    race.used,
  );
}

/** Temperatures that are tried: the scores are divided by these. A grid first, because losses may have several hollows. */
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

/** Images on which `mightBeBeaten` decides, and the lead that it looks for. */
const QUICK = { images: 500, margin: 0.02 } as const;

/**
 * Whether any reading may be better than the used one by two points or more, decided on 500 images: what `bestReading` is
 * worth asking for, where the used one is most likely right. Costs nothing where that answers 98 % correctly.
 *
 * Only images that the used reading gets wrong can speak for another, so of these many are asked, of the others few. A
 * reading drops out as soon as bounds on what it can win and on what it loses (Clopper-Pearson, 95 % each) rule the lead out.
 *
 * @param answered what the model answers to all the images as it is used.
 */
export async function mightBeBeaten(
  model: Model,
  images: LabelledImages,
  answered: ArrayLike<number>,
  options: BestReadingOptions = {},
): Promise<boolean> {
  const chosen = asked(images.count, QUICK.images);
  const isRight = (index: number): boolean => answered[index] === images.labels[index];
  const wrong = chosen.filter((index) => !isRight(index));
  const lead = QUICK.margin * chosen.length;
  if (wrong.length < lead) return false;
  const order = Uint32Array.from([...wrong, ...chosen.filter(isRight)]);
  const race = startRace(model, images, order, options);
  race.used.running = false;
  const total = { wrong: wrong.length, right: chosen.length - wrong.length };
  let [seenWrong, seenRight] = [0, 0];
  const isHopeful = (runner: Runner): boolean => {
    const won = rightOf(race, runner, 0, seenWrong);
    const lost = seenRight - rightOf(race, runner, total.wrong, total.wrong + seenRight);
    const most = seenWrong === total.wrong ? won : bounds(won, seenWrong)[1] * total.wrong;
    const least = seenRight === total.right ? lost : bounds(lost, seenRight)[0] * total.right;
    return most - least >= lead;
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

  function dropHopeless(): void {
    for (const runner of race.runners) runner.running &&= isHopeful(runner);
  }
}

/** One-sided at 95 % each. */
function bounds(successes: number, n: number): readonly [low: number, high: number] {
  return n === 0 ? [0, 1] : clopperPearson(successes, n, 0.9);
}

/** The images that `bestReading` asks to the end. */
export function racedImages(images: LabelledImages): LabelledImages {
  return select(images, asked(images.count, LOOKS[2]));
}

/** Some images of a set, evenly spread, in an order of which every head is spread too; the same for every model. */
function asked(count: number, most: number): Uint32Array {
  return shuffle(evenly(count, most), randomStream(0, "readings"));
}

/** A reading, and what the model has answered under it. */
interface Runner {
  readonly reading: Reading;
  /** By the position of an image in the race. */
  readonly answers: Int32Array;
  /** The same: one score a class, as they enter a softmax. */
  readonly scores: Float32Array[];
  /** How many images it was asked. */
  asked: number;
  running: boolean;
  /** Whether the model cannot be asked under it. */
  failed: boolean;
}

interface Race {
  readonly model: Model;
  /** In the order in which they are asked. */
  readonly images: LabelledImages;
  readonly runners: readonly Runner[];
  readonly used: Runner;
  readonly runtime: RuntimeOptions | undefined;
}

function startRace(model: Model, images: LabelledImages, order: Uint32Array, options: BestReadingOptions): Race {
  const { againstFlags = false, runtime } = options;
  const readings = plausibleReadings(model, images.shape, { statistics: pixelStatistics(images), againstFlags });
  const runnerOf = (reading: Reading): Runner => {
    return { reading, answers: new Int32Array(order.length), scores: [], asked: 0, running: true, failed: false };
  };
  const [first, ...others] = readings;
  const used = runnerOf(first);
  // They are read again for every reading, and may lie in files that have to be decoded.
  return {
    model,
    images: copied(select(images, order)),
    runners: [used, ...others.map(runnerOf)],
    used,
    runtime,
  };
}

/** Right answers among the images `from` … `to` − 1. */
function rightOf({ images }: Race, { answers }: Runner, from: number, to: number): number {
  let right = 0;
  for (let i = from; i < to; i++) if (answers[i] === images.labels[i]) right += 1;
  return right;
}

/** Of the first `n` images, those that only the first and that only the second answers correctly. */
function pairs(
  { images }: Race,
  first: Runner,
  second: Runner,
  n: number,
): { readonly won: number; readonly lost: number } {
  let [won, lost] = [0, 0];
  for (let i = 0; i < n; i++) {
    const [one, other] = [first.answers[i] === images.labels[i], second.answers[i] === images.labels[i]];
    if (one && !other) won += 1;
    if (other && !one) lost += 1;
  }
  return { won, lost };
}

/** Asks all that are running the images `from` … `to` − 1. */
async function ask(race: Race, from: number, to: number): Promise<void> {
  if (to <= from) return;
  const running = race.runners.filter((runner) => runner.running);
  for (const layout of new Set(running.map(({ reading }) => reading.layout))) {
    const together = running.filter(({ reading }) => reading.layout === layout);
    try {
      await askTogether(race, layout, together, from, to);
    } catch (error) {
      if (!(error instanceof WildmarkError)) throw error;
      for (const runner of together) await askAlone(race, layout, runner, from, to);
    }
    for (const runner of together) runner.asked += to - from;
  }
}

/** Where one reading of several makes the model fail (large pixels become NaN), the others are asked all the same. */
async function askAlone(race: Race, layout: Layout, runner: Runner, from: number, to: number): Promise<void> {
  try {
    await askTogether(race, layout, [runner], from, to);
  } catch (error) {
    if (!(error instanceof WildmarkError) || runner === race.used) throw error;
    runner.running = false;
    runner.failed = true;
  }
}

/**
 * Readings of one layout need one session: pixels are scaled here, and the graph does the layout alone.
 */
async function askTogether(
  { model, images, runtime }: Race,
  layout: Layout,
  runners: readonly Runner[],
  from: number,
  to: number,
): Promise<void> {
  const { shape } = images;
  const size = imageSize(shape);
  const area = shape.height * shape.width;
  const each = to - from;
  const found = await askModel(
    readAs(model, { layout, range: [0, 1], mean: [0], std: [1], channelOrder: "RGB" }),
    {
      shape,
      count: runners.length * each,
      pack(start, count, target) {
        for (let i = 0; i < count; i++) {
          const runner = runners[Math.floor((start + i) / each)];
          if (runner === undefined) throw new RangeError(`there is no image ${start + i}`);
          const { channelOrder } = runner.reading;
          const scaling = pixelScaling(runner.reading, shape.channels);
          const pixels = imageAt(images, from + ((start + i) % each));
          for (let channel = 0; channel < shape.channels; channel++) {
            const source = channelOrder === "BGR" && shape.channels === 3 ? 2 - channel : channel;
            const factor = (scaling?.factors[channel] ?? 1) / 255;
            const shift = scaling?.shifts[channel] ?? 0;
            const [read, write] = [source * area, i * size + channel * area];
            for (let at = 0; at < area; at++) target[write + at] = (pixels[read + at] ?? 0) * factor + shift;
          }
        }
      },
      see(scores, start) {
        const rows = scores.dims[0] ?? 1;
        const classes = scores.data.length / rows;
        for (let i = 0; i < rows; i++) {
          const row = beforeSoftmax(scores.data.slice(i * classes, (i + 1) * classes));
          const runner = runners[Math.floor((start + i) / each)];
          if (runner !== undefined) runner.scores[from + ((start + i) % each)] = row;
        }
      },
    },
    runtime,
  );
  runners.forEach((runner, i) => {
    runner.answers.set(found.subarray(i * each, (i + 1) * each), from);
  });
}

/** Probabilities become their logarithms; a file does not always say whether its softmax is in it. */
function beforeSoftmax(scores: Float32Array): Float32Array {
  const total = scores.reduce((sum, score) => sum + score, 0);
  const areProbabilities = Math.abs(total - 1) < 1e-3 && scores.every((score) => score >= 0);
  return areProbabilities ? scores.map((score) => Math.log(Math.max(score, 1e-12))) : scores;
}
