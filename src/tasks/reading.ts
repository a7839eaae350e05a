/**
 * @file Sees to it that a model is read as it was trained before anything is trained on it, or judged by it.
 *
 * A network read otherwise than it was trained often does fairly well: 51 % instead of 92. Training mends that within
 * an epoch, so all seems well, and whoever then runs the model as it was meant to be run finds it ruined.
 */

import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { accuracy } from "../data/answers.js";
import {
  bestReading,
  mightBeBeaten,
  type ReadingScore,
  type ReadingScores,
  racedImages,
} from "../data/best-reading.js";
import type { LabelledImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { Preprocessing } from "../onnx/preprocessing.js";
import { readAs, readingFields, readingFlags } from "../onnx/readings.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { ACCEPTABLE_DROP } from "./acceptable-drop.js";
import { isAtChance } from "./chance.js";
import { defined } from "../core/defined.js";
import { percent } from "../core/percent.js";

/** How hints say a reading: as flags of a command, or as the argument of a call. */
export type ReadingWords = "flags" | "call";

export interface SettleOptions {
  /** Names the model in messages. */
  readonly where: string;
  /** Whether to go on although another reading fits clearly better. */
  readonly asRead: boolean;
  readonly words: ReadingWords;
  readonly runtime?: RuntimeOptions | undefined;
  readonly progress?: Progress | undefined;
}

/**
 * Asks labelled images under every plausible reading. What is in doubt is noted: another reading that fits as well, one
 * that fits better than what flags or a sidecar say, or none that does better than guessing.
 *
 * @throws WildmarkError `usage` where another reading clearly beats one that nobody but the file vouches for, unless
 *   `asRead`.
 */
export async function settleReading(
  model: Model,
  images: LabelledImages,
  { where, asRead, words, runtime, progress }: SettleOptions,
): Promise<ReadingScores> {
  const found = await bestReading(model, images, {
    againstFlags: true,
    ...defined({ runtime }),
  });
  const { used, best, scores } = found;
  const clear = scores.filter((score) => score.finished && score.clearlyBetter);
  const allowed = clear.find(({ reading }) => reading.against.length === 0);
  const sayIt = (score: ReadingScore): string => readingInWords(score.reading, used.reading, words);
  if (allowed !== undefined && !asRead) {
    throw new WildmarkError("usage", `${where} is read otherwise than it was trained: ${comparison(allowed, used)}.`, {
      hint: `${sayIt(allowed)} says so; ${words === "flags" ? "--as-read" : "asRead: true"} goes on all the same.`,
    });
  }
  const [clearest] = clear;
  if (clearest !== undefined) {
    progress?.note(
      `warning: ${where} is read ${asRead ? "as it is" : "as you say"}, but ${comparison(clearest, used)} ` +
        `(${sayIt(clearest)})`,
    );
  } else if (isAtChance(Math.round(best.accuracy * images.count), images)) {
    const tried = `${scores.length} readings were tried (ranges, means and deviations, layouts, orders of the colours)`;
    progress?.note(`warning: ${where} only guesses on these data, however it is read: ${tried}`);
  } else if (best !== used && best.reading.against.length === 0) {
    progress?.note(
      `note: it is not certain that ${where} is read as it was trained: ${comparison(best, used)} (${sayIt(best)})`,
    );
  }
  return found;
}

/** A reading that clearly beats the one in use. */
export interface BetterReading {
  /** The fields that differ. */
  readonly preprocessing: Partial<Preprocessing>;
  /** The same as flags. */
  readonly flags: string;
  /** In a few words. */
  readonly name: string;
  readonly accuracy: number;
  /** What the reading in use reaches on the same images. */
  readonly usedAccuracy: number;
  readonly images: number;
}

/**
 * Whether a model that has answered all the images would answer them clearly better if it were read otherwise. Looks
 * closely only where there is reason to (`mightBeBeaten`).
 *
 * @returns how many readings were tried closely, 0 where there was no reason to; the best that is clearly better.
 */
export async function betterReading(
  model: Model,
  images: LabelledImages,
  answered: ArrayLike<number>,
  runtime: RuntimeOptions | undefined,
): Promise<{ readonly tried: number; readonly better?: BetterReading }> {
  const options = { againstFlags: true, ...defined({ runtime }) };
  if (!(await mightBeBeaten(model, images, answered, options))) return { tried: 0 };
  const { scores, used } = await bestReading(model, images, options);
  const better = scores.find((score) => score.finished && score.clearlyBetter);
  if (better === undefined) return { tried: scores.length };
  const { reading, accuracy: reached, images: count } = better;
  return {
    tried: scores.length,
    better: {
      preprocessing: readingFields(reading, used.reading),
      flags: readingFlags(reading, used.reading),
      name: reading.name,
      accuracy: reached,
      usedAccuracy: used.accuracy,
      images: count,
    },
  };
}

/**
 * After a model has learnt more: whether it is still what it was under every other reading that fitted before as well
 * as the one that it learnt under, since one of those may be how its users run it. Where the one that it learnt under
 * fits best, that is a warning.
 *
 * @param before what `settleReading` found of the model that learnt.
 * @throws WildmarkError `usage` where it lost more than the accepted drop under one of them, and a point more than as
 *   it is read.
 */
export async function requireUnharmed(
  trained: Model,
  images: LabelledImages,
  before: ReadingScores,
  { where, words, runtime, progress }: Omit<SettleOptions, "asRead">,
): Promise<void> {
  const raced = racedImages(images);
  const lossOf = async ({ reading, accuracy: earlier }: ReadingScore, model: Model): Promise<number> =>
    earlier - (await accuracy(readAs(model, reading), raced, runtime));
  const { used, best, scores } = before;
  const rivals = scores.filter((score) => score !== used && score.plausible && score.reading.against.length === 0);
  if (rivals.length === 0) return;
  const usual = await lossOf(used, trained);
  for (const rival of rivals) {
    const loss = await lossOf(rival, trained);
    if (loss <= Math.max(ACCEPTABLE_DROP, usual + 0.01)) continue;
    const doubt =
      `${where} may have been trained otherwise than it is read: read ${named(rival)} it fitted as well ` +
      `(${percent(rival.accuracy)}), and what was trained now answers only ${percent(rival.accuracy - loss)} so`;
    // What fits best is most likely how it was trained: weak networks fit several readings about as well.
    if (best === used) {
      progress?.note(`warning: ${doubt}; ${readingInWords(rival.reading, used.reading, words)} says so if it was`);
      continue;
    }
    throw new WildmarkError("usage", `${doubt}.`, {
      hint:
        `Say how it is run: ${readingInWords(rival.reading, used.reading, words)}, or ` +
        `${words === "flags" ? "--as-read" : "asRead: true"} where it is run as it is read now.`,
    });
  }
}

/** "--range 0,255", or the argument of a call. */
export function readingInWords(reading: Preprocessing, used: Preprocessing, words: ReadingWords): string {
  if (words === "flags") return readingFlags(reading, used);
  return `{ preprocessing: ${JSON.stringify(readingFields(reading, used))} }`;
}

function comparison(better: ReadingScore, used: ReadingScore): string {
  return (
    `read ${named(better)} it answers ${percent(better.accuracy)} of ${better.images} images correctly, read ` +
    `${named(used)} ${percent(used.accuracy)}`
  );
}

/** "as assumed", "as 0 to 255" */
function named({ reading }: ReadingScore): string {
  return reading.name.startsWith("as ") ? reading.name : `as ${reading.name}`;
}
