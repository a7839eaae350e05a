/**
 * @file Asks a model the same images under many readings: who answers what, and with which scores. Who wins is not
 * decided here (`best-reading.ts`).
 */

import { WildmarkError } from "../core/errors.js";
import type { Model } from "../onnx/model.js";
import type { Layout } from "../onnx/preprocessing.js";
import { plausibleReadings, type Reading, readAs } from "../onnx/readings.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { type Asking, openAsking } from "../training/ask.js";
import { copied, type Images, imageAt, imageSize, type LabelledImages, select } from "./dataset.js";
import { pixelStatistics } from "./pixel-statistics.js";
import { pixelScaler, UNSCALED } from "./scale-pixels.js";

/** A reading, and what the model has answered under it. */
export interface Runner {
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

export interface Race {
  readonly model: Model;
  /** In the order in which they are asked. */
  readonly images: LabelledImages;
  readonly runners: readonly Runner[];
  readonly used: Runner;
  readonly runtime: RuntimeOptions | undefined;
  /** Readings of one layout need one session: pixels are scaled here, and the graph does the layout alone. */
  readonly opened: Map<Layout, Asking>;
}

export interface RaceOptions {
  readonly runtime?: RuntimeOptions;
  /** Whether readings that go against flags race too (`plausibleReadings`). */
  readonly againstFlags?: boolean;
  /** Whose mean and deviation are the data's own: fewer images take less time (default: all). */
  readonly counted?: Images;
}

/** @param order of the images that are asked. */
export function startRace(model: Model, images: LabelledImages, order: Uint32Array, options: RaceOptions): Race {
  const { againstFlags = false, runtime, counted = images } = options;
  const statistics = pixelStatistics(counted);
  const readings = plausibleReadings(model, images.shape, { statistics, againstFlags });
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
    opened: new Map(),
  };
}

export async function releaseRace({ opened }: Race): Promise<void> {
  for (const asking of opened.values()) await asking.release();
}

/** Right answers among the images `from` … `to` − 1. */
export function rightOf({ images }: Race, { answers }: Runner, from: number, to: number): number {
  let right = 0;
  for (let i = from; i < to; i++) if (answers[i] === images.labels[i]) right += 1;
  return right;
}

/** Of the first `n` images, those that only the first and that only the second answers correctly. */
export function pairs(
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
export async function ask(race: Race, from: number, to: number): Promise<void> {
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

async function askTogether(
  race: Race,
  layout: Layout,
  runners: readonly Runner[],
  from: number,
  to: number,
): Promise<void> {
  const { images } = race;
  const { shape } = images;
  const size = imageSize(shape);
  const each = to - from;
  const scalers = runners.map(({ reading }) => pixelScaler(reading, shape, 255));
  const found = await openedAs(race, layout).ask({
    shape,
    count: runners.length * each,
    pack(start, count, target) {
      for (let i = 0; i < count; i++) {
        const scale = scalers[Math.floor((start + i) / each)];
        if (scale === undefined) throw new RangeError(`there is no image ${start + i}`);
        scale(imageAt(images, from + ((start + i) % each)), target, i * size);
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
  });
  runners.forEach((runner, i) => {
    runner.answers.set(found.subarray(i * each, (i + 1) * each), from);
  });
}

function openedAs({ model, images, runtime, opened }: Race, layout: Layout): Asking {
  const asking = opened.get(layout) ?? openAsking(readAs(model, { ...UNSCALED, layout }), images.shape, runtime);
  opened.set(layout, asking);
  return asking;
}

/** Probabilities become their logarithms; a file does not always say whether its softmax is in it. */
function beforeSoftmax(scores: Float32Array): Float32Array {
  const total = scores.reduce((sum, score) => sum + score, 0);
  const areProbabilities = Math.abs(total - 1) < 1e-3 && scores.every((score) => score >= 0);
  return areProbabilities ? scores.map((score) => Math.log(Math.max(score, 1e-12))) : scores;
}
