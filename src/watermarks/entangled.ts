/**
 * @file Entangled mark, EWE (Jia, Choquette-Choo, Chandrasekaran, Papernot: Entangled Watermarks as a Defense against
 * Model Extraction. USENIX Security 2021): the model is taught to represent triggers as it represents images of the
 * target class, so that whoever copies or cleans the one takes the other along.
 *
 * Triggers are images of a source class with a bright square, moved against a trained model (`entangled-triggers.ts`).
 * Batches of images alone take turns with batches of which one half are triggers and one half images of the target
 * class, all answered as that class, whose loss is (equation 2)
 *
 *     CE − κ Σ over layers l of SNNL(what enters layer l; trigger or not; T_l)
 *
 * and whose temperatures go down the gradient of each SNNL by themselves. Here such a batch and one of images make one
 * update together (our choice), so that momentum and schedule serve both.
 *
 * Where a class is drawn for each trigger (the default, ours), the other half are images of all classes, and SNNL
 * compares rows of one label only: triggers lie as one with the images of *their* class.
 */

import { float32, type FloatTensor } from "../core/tensor.js";
import { type LabelledImages, select } from "../data/dataset.js";
import { imageFeed, joinedFeed } from "../data/feed.js";
import { augmentedView } from "../data/augment.js";
import { cleanView } from "../data/views.js";
import { type AddedGradient, type Feed, type TrainedEpoch, trainEpochs } from "../training/epochs.js";
import { crossEntropyObjective, meanCrossEntropy, type Objective } from "../training/objective.js";
import { sgdPlan } from "../training/options.js";
import type { Embedding, MarkTraining } from "./embed.js";
import { type EntangledOptions, entangledOptions } from "./entangled-options.js";
import {
  appendEntanglement,
  entangledLayers,
  entangledTriggers,
  labelsOf,
  type Entanglement,
  temperatureName,
  withTemperatures,
} from "./entangled-triggers.js";
import type { MarkScheme } from "./scheme.js";
import { publishedClasses } from "./stamped.js";
import { openWeightGradient, type WeightGradient } from "./weight-gradient.js";

export const entangled: MarkScheme<EntangledOptions> = {
  id: "entangled",
  title: "entangled",
  summary:
    "Images with a bright square, each answered with a class drawn for it and represented like images of that class.",
  paper: "Jia, Choquette-Choo, Chandrasekaran, Papernot: Entangled Watermarks. USENIX Security 2021",
  published: publishedClasses,
  startsTrained: true,
  options: entangledOptions,
  make: entangledTriggers,
  embed: embedEntangled,
};

async function* embedEntangled(
  embedding: Embedding,
  training: MarkTraining,
  chosen: EntangledOptions,
): AsyncGenerator<TrainedEpoch, void, undefined> {
  const { train, random } = embedding;
  const images = imageFeed(train, {
    batch: training.batch,
    views: [augmentedView(training.augment, train.shape)],
    random,
  });
  const { feed, gradient, temperatures } = await openEntanglement(embedding, training, chosen);
  const inverse = temperatures.map(() => chosen.inverseTemperature);
  const added: AddedGradient = async (epoch, step, weights) => {
    const turn = (epoch - 1) * images.stepsPerEpoch + step;
    if (turn % chosen.every !== 0) return undefined;
    const round = turn / chosen.every;
    feed.fill(
      1 + Math.floor(round / feed.stepsPerEpoch),
      round % feed.stepsPerEpoch,
      gradient.images,
      gradient.targets,
    );
    const values = new Map(temperatures.map((name, i) => [name, float32([], [inverse[i] ?? 1])] as const));
    const { loss, gradients } = await gradient.at(new Map<string, FloatTensor>([...(await weights()), ...values]));
    temperatures.forEach((name, i) => {
      inverse[i] = nextInverse(inverse[i] ?? 1, gradients.get(name)?.data[0] ?? 0, chosen);
    });
    return { loss, gradients };
  };
  const memory = {
    read: () => [...inverse],
    write(values: readonly number[]) {
      inverse.splice(0, inverse.length, ...values);
    },
  };
  const plan = sgdPlan(training, crossEntropyObjective(training.labelSmoothing), { added, memory });
  try {
    yield* trainEpochs(embedding.model, plan, images, embedding);
  } finally {
    await gradient.release();
  }
}

/** A temperature that is no more, or has changed its sign, would turn the loss over. */
const LEAST_INVERSE = 1e-3;

/**
 * 100/T after a step down the gradient of SNNL.
 *
 * @param slope of the whole loss, which holds SNNL times −κ.
 */
export function nextInverse(
  inverse: number,
  slope: number,
  { entanglement, temperatureRate }: Pick<EntangledOptions, "entanglement" | "temperatureRate">,
): number {
  if (entanglement === 0) return inverse;
  return Math.max(LEAST_INVERSE, inverse - temperatureRate * (-slope / entanglement));
}

/** The loss above by weights and temperatures, and the batches that it is of: triggers first. */
export async function openEntanglement(
  embedding: Embedding,
  training: Pick<MarkTraining, "batch" | "batchNorm">,
  chosen: Pick<EntangledOptions, "labels" | "target" | "entanglement" | "distance" | "inverseTemperature">,
): Promise<{ readonly feed: Feed; readonly gradient: WeightGradient; readonly temperatures: readonly string[] }> {
  const { model, train, triggers, random } = embedding;
  const byClass = labelsOf(chosen) === "random";
  // The class may have been drawn with the triggers, which tell it.
  const targets = byClass ? train : ofClass(train, chosen.target ?? triggers.labels[0] ?? 0);
  const half = Math.max(2, Math.floor(training.batch / 2));
  const feedOf = (images: LabelledImages, name: string): Feed =>
    imageFeed(images, { batch: half, views: [cleanView], random: random.stream(name) });
  const first = feedOf(triggers, "entangled triggers");
  const feed = joinedFeed(first, feedOf(targets, "entangled images"));
  const layers = entangledLayers(model, train.shape);
  const entanglement: Entanglement = {
    layers,
    groups: Array.from({ length: feed.batch }, (_, row) => (row < first.batch ? 1 : 0)),
    distance: chosen.distance,
    byClass,
  };
  const temperatures = layers.map((_, i) => temperatureName(i));
  const gradient = await openWeightGradient(embedding, {
    batch: feed.batch,
    objective: entangledObjective(entanglement, chosen.entanglement),
    batchNorm: training.batchNorm,
    rewrite: (graph) => ({ graph: withTemperatures(graph, layers.length, chosen.inverseTemperature), held: new Set() }),
    also: temperatures,
  });
  return { feed, gradient, temperatures };
}

/** CE − κ Σ SNNL. */
function entangledObjective(entanglement: Entanglement, weight: number): Objective {
  return {
    views: 1,
    build({ b, logits, targets }) {
      const terms = appendEntanglement(b, targets, entanglement);
      const entangling = b.op("Mul", [terms.reduce((sum, term) => b.op("Add", [sum, term])), b.scalar(weight)]);
      return { loss: b.op("Sub", [meanCrossEntropy(b, logits, targets), entangling]) };
    },
  };
}

function ofClass(images: LabelledImages, label: number): LabelledImages {
  return select(
    images,
    Array.from(images.labels.keys()).filter((i) => images.labels[i] === label),
  );
}
