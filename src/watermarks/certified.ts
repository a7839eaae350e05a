/**
 * @file Certified mark (Bansal, Chiang, Curry, Jain, Wigington, Manjunatha, Dickerson, Goldstein: Certified Neural
 * Network Watermarks with Randomized Smoothing. ICML 2022): triggers are trained while Gaussian noise is on the
 * weights, so that the median of their accuracy over noise cannot fall far however the weights move within a ball
 * (`ownership/certificate.ts`).
 *
 * Between steps on images, which hold triggers as for all marks, come updates on triggers alone (algorithm 1; constants
 * of the authors' code): one for each of several deviations from 0 to σ, by the mean of the gradients at weights with
 * noise drawn anew, divided by the number of deviations. Here they are spread over the epoch, and each joins a step on
 * images instead of being one of its own (our choice), so that momentum and schedule serve both.
 */

import { z } from "zod";
import type { RandomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { imageFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { type AddedGradient, type TrainedEpoch, throwIfAborted, trainEpochs } from "../training/epochs.js";
import type { Gradient } from "../training/gradient.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import { type PerWeight, withNoise } from "../training/weight-noise.js";
import { contentShape, contentTriggers, publishedContent } from "./content.js";
import { type Embedding, type MarkTraining, markFeed } from "./embed.js";
import type { MarkScheme } from "./scheme.js";
import { openWeightGradient, scaled, type WeightGradient } from "./weight-gradient.js";

const options = z.strictObject({
  ...contentShape,
  weightNoise: z.number().gt(0).default(0.1).describe("σ, largest standard deviation of the noise on the weights"),
  levels: z.int().min(2).max(1000).default(21).describe("standard deviations of the noise, evenly from 0 to σ"),
  draws: z.int().min(1).max(10_000).default(10).describe("draws of noise that each gradient is the mean of"),
  noisyBatch: z.int().min(1).max(65_536).default(64).describe("triggers in each gradient under noise"),
  warmUp: z.number().min(0).lt(1).default(0.1).describe("share of the epochs before there is noise"),
});

type CertifiedOptions = z.infer<typeof options>;

export const certified: MarkScheme<CertifiedOptions> = {
  id: "certified",
  title: "certified",
  summary: "Triggers of the content mark, trained under noise on the weights, so that their accuracy can be certified.",
  paper: "Bansal, Chiang, Curry, et al.: Certified Neural Network Watermarks with Randomized Smoothing. ICML 2022",
  published: publishedContent,
  options,
  make: contentTriggers,
  embed: embedUnderNoise,
};

async function* embedUnderNoise(
  embedding: Embedding,
  training: MarkTraining,
  chosen: CertifiedOptions,
): AsyncGenerator<TrainedEpoch, void, undefined> {
  const { triggers, random, signal } = embedding;
  const { levels, noisyBatch, weightNoise, warmUp } = chosen;
  const shown = imageFeed(triggers, { batch: noisyBatch, views: [cleanView], random: random.stream("noisy triggers") });
  const gradient = await openWeightGradient(embedding, {
    batch: shown.batch,
    objective: crossEntropyObjective(),
    batchNorm: training.batchNorm,
  });
  const images = markFeed(embedding, training);
  // An incomplete last batch is left out, as in the authors' code.
  const batches = Math.max(1, Math.floor(triggers.count / shown.batch));
  const updates = spread(levels * batches, images.stepsPerEpoch);
  const noise = random.stream("noise on weights");

  const added: AddedGradient = async (epoch, step, weights) => {
    const due = epoch <= Math.floor(warmUp * training.epochs) ? [] : updates(step);
    if (due.length === 0) return undefined;
    const start = await weights();
    let sum = nothing;
    for (const update of due) {
      throwIfAborted(signal);
      const turn = (epoch - 1) * batches + Math.floor(update / levels);
      const [round, at] = [1 + Math.floor(turn / shown.stepsPerEpoch), turn % shown.stepsPerEpoch];
      shown.fill(round, at, gradient.images, gradient.targets);
      const sigma = (weightNoise * (update % levels)) / (levels - 1);
      sum = plus(sum, await underNoise(gradient, start, sigma, chosen.draws, noise.stream(epoch).stream(update)));
    }
    return times(sum, 1 / levels);
  };
  const plan = sgdPlan(training, crossEntropyObjective(training.labelSmoothing), { added });
  try {
    yield* trainEpochs(embedding.model, plan, images, embedding);
  } finally {
    await gradient.release();
  }
}

/** Which of `count` pieces of work fall to each of `steps` steps: all of them, in order and as evenly as can be. */
export function spread(count: number, steps: number): (step: number) => readonly number[] {
  const before = (step: number): number => Math.floor((step * count) / steps);
  return (step) => Array.from({ length: before(step + 1) - before(step) }, (_, i) => before(step) + i);
}

/** Means over draws of the loss, and of its gradient, at weights + σ · noise. Without noise one draw tells all. */
export async function underNoise(
  gradient: Pick<WeightGradient, "names" | "at">,
  weights: PerWeight,
  sigma: number,
  draws: number,
  random: RandomStream,
): Promise<Slope> {
  if (sigma === 0) return gradient.at(weights);
  let sum = nothing;
  for (let draw = 0; draw < draws; draw++) {
    sum = plus(sum, await gradient.at(withNoise(weights, gradient.names, sigma, random.stream(draw))));
  }
  return times(sum, 1 / draws);
}

/** A loss and its gradient by each weight. */
type Slope = Pick<Gradient, "loss" | "gradients">;

const nothing: Slope = { loss: 0, gradients: new Map() };

function plus(a: Slope, b: Slope): Slope {
  const gradients = new Map(a.gradients);
  for (const [name, { dims, data }] of b.gradients) {
    const before = a.gradients.get(name)?.data;
    gradients.set(name, float32(dims, before === undefined ? data : data.map((value, i) => value + (before[i] ?? 0))));
  }
  return { loss: a.loss + b.loss, gradients };
}

function times({ loss, gradients }: Slope, factor: number): Slope {
  return { loss: factor * loss, gradients: scaled(gradients, factor) };
}
