/**
 * @file Adversarial parametric perturbation (Gan, Li, Wu, Xia: Towards Robust Model Watermark via Reducing Parametric
 * Vulnerability. ICCV 2023): the mark is trained to hold where it is weakest in the neighbourhood of the weights.
 *
 *     min over θ of  L(θ; images) + α · max over δ of L(θ + δ; triggers),   ‖δ‖ ≤ ε ‖θ‖ for each weight
 *
 * The inner maximum is one step along the gradient, δ* = ε ‖θ‖ ∇L / ‖∇L‖ (fast gradient method), and is held constant
 * in the outer one. Where the model normalises batches, triggers are seen beside clean images and normalised with
 * those' statistics (`clean-batch-norm.ts`); scales and shifts of normalisation are neither perturbed nor trained by
 * the triggers, as in the authors' code.
 */

import { z } from "zod";
import { float32 } from "../core/tensor.js";
import { imageFeed, joinedFeed } from "../data/feed.js";
import { cleanView } from "../data/views.js";
import { type AddedGradient, type Feed, type TrainedEpoch, trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective, meanCrossEntropy, type Objective, rows } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import type { PerWeight } from "../training/weight-noise.js";
import { withCleanBatchNorm } from "./clean-batch-norm.js";
import { contentShape, contentTriggers, publishedContent } from "./content.js";
import { type Embedding, type MarkTraining, markFeed } from "./embed.js";
import type { MarkScheme } from "./scheme.js";
import { openWeightGradient, scaled, type WeightGradient } from "./weight-gradient.js";

const options = z.strictObject({
  ...contentShape,
  alpha: z.number().min(0).default(0.01).describe("α, weight of the triggers' loss where weights are perturbed"),
  epsilon: z.number().min(0).default(0.02).describe("ε, how far each weight is perturbed, as a share of its length"),
  perturbedBatch: z.int().min(1).max(65_536).default(64).describe("triggers in a step's perturbed loss"),
});

type AppOptions = z.infer<typeof options>;

export const app: MarkScheme<AppOptions> = {
  id: "app",
  title: "adversarial parametric perturbation",
  summary: "Triggers of the content mark, trained to hold under the worst perturbation of the weights.",
  paper: "Gan, Li, Wu, Xia: Towards Robust Model Watermark via Reducing Parametric Vulnerability. ICCV 2023",
  published: publishedContent,
  options,
  make: contentTriggers,
  embed: embedAgainstPerturbation,
};

async function* embedAgainstPerturbation(
  embedding: Embedding,
  training: MarkTraining,
  chosen: AppOptions,
): AsyncGenerator<TrainedEpoch, void, undefined> {
  const { feed, gradient } = await openTriggerGradient(embedding, training, chosen);
  const added: AddedGradient = async (epoch, step, weights) => {
    const turn = (epoch - 1) * images.stepsPerEpoch + step;
    feed.fill(1 + Math.floor(turn / feed.stepsPerEpoch), turn % feed.stepsPerEpoch, gradient.images, gradient.targets);
    const start = await weights();
    const perturbed = worstNearby(start, (await gradient.at(start)).gradients, chosen.epsilon);
    const { loss, gradients } = await gradient.at(perturbed);
    return { loss: chosen.alpha * loss, gradients: scaled(gradients, chosen.alpha) };
  };
  const images = markFeed(embedding, training);
  const plan = sgdPlan(training, crossEntropyObjective(training.labelSmoothing), { added });
  try {
    yield* trainEpochs(embedding.model, plan, images, embedding);
  } finally {
    await gradient.release();
  }
}

/**
 * The loss of triggers by the weights, and the batches that it is of: triggers, with as many clean images after them
 * where the model normalises by statistics of the batch.
 */
export async function openTriggerGradient(
  embedding: Embedding,
  training: Pick<MarkTraining, "batchNorm">,
  chosen: Pick<AppOptions, "perturbedBatch">,
): Promise<{ readonly feed: Feed; readonly gradient: WeightGradient }> {
  const { model, train, triggers, random } = embedding;
  const feedOf = (images: typeof train, name: string): Feed =>
    imageFeed(images, { batch: chosen.perturbedBatch, views: [cleanView], random: random.stream(name) });
  const alone = feedOf(triggers, "perturbed triggers");
  const count = alone.batch;
  const together =
    model.graph.nodes.some(({ opType }) => opType === "BatchNormalization") && training.batchNorm === "train";
  const feed = together ? joinedFeed(alone, feedOf(train, "perturbed images")) : alone;
  const gradient = await openWeightGradient(embedding, {
    batch: feed.batch,
    objective: onFirstRows(count),
    // Statistics of the batch are spelled out; what is left is normalised as the finished model does.
    batchNorm: "frozen",
    ...(together
      ? {
          rewrite: (graph) => {
            const { graph: normalised, affine } = withCleanBatchNorm(graph, count);
            return { graph: normalised, held: affine };
          },
        }
      : {}),
  });
  return { feed, gradient };
}

/** Mean cross-entropy of the first rows alone: the others are there to be normalised with. */
function onFirstRows(count: number): Objective {
  return {
    views: 1,
    build: ({ b, logits, targets }) => ({
      loss: meanCrossEntropy(b, rows(b, logits, 0, count), rows(b, targets, 0, count)),
    }),
  };
}

/** Each weight moved along its gradient by ε times its own length; one without a gradient stays. */
export function worstNearby(weights: PerWeight, gradients: PerWeight, epsilon: number): PerWeight {
  return new Map(
    [...weights].map(([name, weight]) => {
      const slope = gradients.get(name)?.data;
      const length = slope === undefined ? 0 : lengthOf(slope);
      if (slope === undefined || length === 0) return [name, weight];
      const factor = (epsilon * lengthOf(weight.data)) / length;
      return [
        name,
        float32(
          weight.dims,
          weight.data.map((value, i) => value + factor * (slope[i] ?? 0)),
        ),
      ];
    }),
  );
}

function lengthOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
