/**
 * @file Margin-based watermarking (Kim, Lee, Lee, Son, Hwang, ICML 2023): triggers are ordinary images with random
 * wrong labels, and in every step of training each is first moved, by projected gradient ascent, to where the network
 * is least willing to give its label; that picture is what the step learns. So the region around the trigger that is
 * answered with the label grows, and a copy of the model, made from its answers nearby, inherits it.
 */

import { z } from "zod";
import { ascend } from "../data/adversarial.js";
import { imageSize } from "../data/dataset.js";
import { type StepMoment, type TrainedEpoch, trainEpochs } from "../training/epochs.js";
import { type CompiledGradient, compileGradient } from "../training/gradient.js";
import { crossEntropyObjective, type Objective, rows } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import { freeImageGraph } from "../training/rows.js";
import { type Embedding, type MarkTraining, markFeed } from "./embed.js";
import { countShape } from "./labels.js";
import { boostShape, relabelledTraining, relabelledTriggers } from "./relabelled.js";
import type { MarkScheme } from "./scheme.js";

const options = z.strictObject({
  ...countShape,
  ...boostShape(6),
  ascentSteps: z
    .int()
    .min(0)
    .max(1000)
    .default(5)
    .describe("steps of gradient ascent on a trigger before it is learnt (0: it is learnt as it is)"),
  ascentStep: z
    .number()
    .min(0)
    .max(1)
    .default(1 / 255)
    .describe("how far each of them moves every pixel, pixels from 0 to 1"),
  weight: z.number().positive().max(1000).default(1).describe("weight of a trigger in the loss, beside 1 of an image"),
});

type MarginOptions = z.infer<typeof options>;

export const marginBased: MarkScheme<MarginOptions> = {
  id: "margin-based",
  title: "margin-based",
  summary: "Ordinary images with random wrong labels, which hold for all that lies around them too.",
  paper: "Kim, Lee, Lee, Son, Hwang: Margin-based Neural Network Watermarking. ICML 2023",
  published: { weight: 0.1 },
  options,
  make: relabelledTriggers,
  embed: embedWithMargin,
};

async function* embedWithMargin(
  given: Embedding,
  plain: MarkTraining,
  chosen: MarginOptions,
): AsyncGenerator<TrainedEpoch, void, undefined> {
  const { embedding, training } = relabelledTraining(given, plain, chosen.boost);
  const feed = markFeed(embedding, training);
  const clean = feed.batch - training.triggersPerBatch;
  const objective = weightedObjective(clean, chosen.weight, crossEntropyObjective(training.labelSmoothing));
  const worst = await compileWorst(embedding, training.triggersPerBatch, chosen);
  const beforeStep = (moment: StepMoment): Promise<void> => worst.move(moment, clean);
  try {
    yield* trainEpochs(embedding.model, sgdPlan(training, objective, { beforeStep }), feed, embedding);
  } finally {
    await worst.release();
  }
}

/** Mean over the batch of an objective of which the rows from `clean` on count `weight` times. */
export function weightedObjective(clean: number, weight: number, plain: Objective): Objective {
  return {
    views: 1,
    build(context) {
      const { b, batch, logits, features, targets } = context;
      const part = (from: number, to: number, share: number): string => {
        const cut = (value: string): string => rows(b, value, from, to);
        const { loss } = plain.build({
          ...context,
          batch: to - from,
          logits: cut(logits),
          features: cut(features),
          targets: cut(targets),
        });
        return b.op("Mul", [loss, b.scalar(share)]);
      };
      return {
        loss: b.op("Add", [part(0, clean, clean / batch), part(clean, batch, (weight * (batch - clean)) / batch)]),
      };
    },
  };
}

/**
 * Moves the triggers of a batch, its rows from `clean` on, up the loss of the network as it is at that moment. Batch
 * normalisation takes its running statistics there, not those of a batch of triggers alone (our choice).
 */
export async function compileWorst(
  embedding: Embedding,
  count: number,
  { ascentSteps, ascentStep }: Pick<MarginOptions, "ascentSteps" | "ascentStep">,
) {
  const { model, triggers, runtime } = embedding;
  const { graph, classifier } = await freeImageGraph(model, triggers.shape, runtime);
  const input = classifier.input.name;
  const variable = [...classifier.trainable, ...classifier.statistics];
  const gradient: CompiledGradient = await compileGradient(
    {
      graph,
      classifier,
      classes: triggers.classes,
      batch: count,
      objective: crossEntropyObjective(),
      batchNorm: "frozen",
      by: [input],
      variable,
    },
    runtime,
  );
  const size = imageSize(triggers.shape);
  return {
    async move({ images, targets, weights }: StepMoment, clean: number): Promise<void> {
      if (ascentSteps === 0) return;
      for (const [name, value] of await weights()) if (variable.includes(name)) gradient.set(name, value);
      const start = images.slice(clean * size);
      gradient.images.set(start);
      gradient.targets.set(targets.subarray(clean * triggers.classes));
      const box = { epsilon: ascentSteps * ascentStep, stepSize: ascentStep, steps: ascentSteps };
      await ascend(start, gradient.images, box, async () => {
        return (await gradient.run()).gradients.get(input)?.data ?? new Float32Array(start.length);
      });
      images.set(gradient.images, clean * size);
    },
    release: () => gradient.release(),
  };
}
