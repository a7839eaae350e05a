/** @file Samples what a model retains of a key under noise on its weights, and says what that certifies. */

import { WildmarkError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import type { RandomStream } from "../core/random.js";
import { quantile } from "../core/summary.js";
import { imageSize } from "../data/dataset.js";
import { requireFit } from "../data/fit.js";
import { imageGraph } from "../onnx/image-graph.js";
import type { Model } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { throwIfAborted } from "../training/epochs.js";
import { agreement, compileAnswers } from "../training/evaluate.js";
import { type PerWeight, withNoise } from "../training/weight-noise.js";
import { certifiedRadius, certifiedRetention, type Smoothing } from "./certificate.js";
import type { Key } from "./key.js";

export interface CertifyOptions extends Smoothing {
  /** How often noise is drawn. */
  readonly draws: number;
  /** The retention that is not to be fallen below, in (0, 1]. */
  readonly least: number;
  readonly random: RandomStream;
  readonly runtime?: RuntimeOptions;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

export interface Certificate extends Smoothing {
  readonly draws: number;
  /** Numbers that have noise: all that training may change, statistics of normalisation excepted. */
  readonly weights: number;
  /** The length of all of them together, ‖θ‖₂. */
  readonly length: number;
  /** Without noise. */
  readonly retention: number;
  /** Under noise. */
  readonly median: number;
  /**
   * Share of the key's placebos that are answered with the triggers' labels under noise, median; null where there are
   * none. A model that noise makes answer one class to everything retains a mark of that class, and certifies nothing
   * of worth.
   */
  readonly placebos: number | null;
  readonly least: number;
  /** How far weights may be moved before the median can fall below `least`; null where it may be below already. */
  readonly radius: number | null;
  /** What the median is at least after a move of each length. */
  readonly bounds: readonly { readonly radius: number; readonly retention: number }[];
}

/** Lengths at which bounds are told, in units of σ: those of the paper, and none for the model as it is. */
const RADII = [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2] as const;

/**
 * @throws WildmarkError `bad-key` where model and key do not belong together; `usage` for numbers out of range.
 */
export async function certifyModel(model: Model, key: Key, options: CertifyOptions): Promise<Certificate> {
  const { sigma, confidence, draws, least, random, runtime, progress, signal } = options;
  requireOptions(options);
  const { shape, classes } = key;
  requireFit(model, "the model", { what: "the key", shape, classes, code: "bad-key" });
  const { labels, count: asked } = key.triggers;
  const images = imagesOf(key);
  const count = images.length / imageSize(shape);
  const weights = weightsOf(model, shape);
  const names = [...weights.keys()];
  const answering = await compileAnswers(model, { shape, count, variable: names }, runtime);
  try {
    const sharesAt = async (at: PerWeight) => {
      const answers = await answering.answers(images, at);
      const wanted = Uint16Array.from({ length: count - asked }, (_, i) => labels[i % asked] ?? 0);
      const placebos = wanted.length === 0 ? undefined : agreement(answers.subarray(asked), wanted);
      return { retention: agreement(answers, labels), placebos };
    };
    const { retention } = await sharesAt(weights);
    const retentions: number[] = [];
    const ofPlacebos: number[] = [];
    for (let draw = 0; draw < draws; draw++) {
      throwIfAborted(signal);
      const shares = await sharesAt(withNoise(weights, names, sigma, random.stream(draw)));
      retentions.push(shares.retention);
      if (shares.placebos !== undefined) ofPlacebos.push(shares.placebos);
      progress?.update("models with noise", draw + 1, draws);
    }
    const smoothing = { sigma, confidence };
    return {
      ...smoothing,
      draws,
      weights: [...weights.values()].reduce((sum, { data }) => sum + data.length, 0),
      length: distance(weights),
      retention,
      median: quantile(retentions, 0.5),
      placebos: ofPlacebos.length === 0 ? null : quantile(ofPlacebos, 0.5),
      least,
      radius: certifiedRadius(retentions, least, smoothing) ?? null,
      bounds: RADII.map((radius) => ({
        radius: radius * sigma,
        retention: certifiedRetention(retentions, radius * sigma, smoothing),
      })),
    };
  } finally {
    await answering.release();
  }
}

/**
 * How far apart the weights of two models are, ‖θ − θ₀‖₂, over what a certificate puts noise on.
 *
 * @throws WildmarkError `bad-model` where they have not the same weights by name and shape: then no ball holds both.
 */
export function weightDistance(model: Model, other: Model, key: Pick<Key, "shape">): number {
  const [weights, others] = [weightsOf(model, key.shape), weightsOf(other, key.shape)];
  const same =
    weights.size === others.size &&
    [...weights].every(([name, { dims }]) => others.get(name)?.dims.join() === dims.join());
  if (!same) {
    throw new WildmarkError("bad-model", "The two models do not have the same weights, by name and shape.", {
      hint: "A certificate speaks of changes to the weights of one model; another architecture lies outside of it.",
    });
  }
  return distance(weights, others);
}

/** The key's triggers and, after them, its placebos, in [0, 1]. */
function imagesOf({ triggers, placebos }: Key): Float32Array {
  const bytes = (placebos === undefined ? [triggers] : [triggers, placebos]).map(({ images }) => images);
  return Float32Array.from(Buffer.concat(bytes), (pixel) => pixel / 255);
}

/** What training may change, as the model stores it. */
function weightsOf(model: Model, shape: Key["shape"]): PerWeight {
  const { graph, classifier } = imageGraph(model, shape);
  const stored = storedTensors(graph);
  return new Map(
    classifier.trainable.flatMap((name) => {
      const tensor = stored.get(name);
      return tensor?.type === "float32" ? [[name, tensor] as const] : [];
    }),
  );
}

function distance(weights: PerWeight, others?: PerWeight): number {
  let sum = 0;
  for (const [name, { data }] of weights) {
    const other = others?.get(name)?.data;
    data.forEach((value, i) => {
      sum += (value - (other?.[i] ?? 0)) ** 2;
    });
  }
  return Math.sqrt(sum);
}

function requireOptions({ sigma, confidence, draws, least }: CertifyOptions): void {
  const wrong =
    (!(sigma > 0 && Number.isFinite(sigma)) && `the noise's deviation must be above 0, found ${sigma}`) ||
    (!(confidence > 0.5 && confidence < 1) && `the confidence must lie between 0.5 and 1, found ${confidence}`) ||
    (!(Number.isSafeInteger(draws) && draws >= 1) && `draws must be a whole number from 1, found ${draws}`) ||
    (!(least > 0 && least <= 1) && `the least retention must lie in (0, 1], found ${least}`);
  if (wrong !== false) throw new WildmarkError("usage", `A certificate: ${wrong}.`);
}

/** The certificate in plain lines. */
export function describeCertificate(certificate: Certificate, percent: (share: number) => string): string[] {
  const { sigma, confidence, draws, weights, length, retention, median, placebos, least, radius, bounds } = certificate;
  const answer =
    radius === null
      ? `Nothing is certified: the median retention under noise may be below ${percent(least)} as it is`
      : `However its weights are moved by a length of ${digits(radius)} or less, the model's median ` +
        `retention under noise ` +
        `stays at ${percent(least)} or more (confidence ${percent(confidence)})`;
  return [
    `${answer}.`,
    `Retention ${percent(retention)}; median over ${draws} draws of noise with deviation ${digits(sigma)} on each of ` +
      `${weights} weights, whose length is ${digits(length)}: ${percent(median)}.`,
    ...(placebos === null ? [] : [besidePlacebos(placebos, median, percent)]),
    ...bounds.map((bound) => `moved by ${digits(bound.radius)} or less: ${percent(bound.retention)} or more`),
  ];
}

function besidePlacebos(placebos: number, median: number, percent: (share: number) => string): string {
  const same = `Under the same noise it answers ${percent(placebos)} of the placebos with the triggers' labels (median)`;
  // Above half of what it answers to the triggers, most of the retention under noise is no sign of the mark.
  return placebos <= median / 2
    ? `${same}.`
    : `${same}: noise makes it answer so whatever it is shown, and what is certified is little proof of the mark.`;
}

function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}
