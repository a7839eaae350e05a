/**
 * @file REFIT (Chen, Wang, Bender, Ding, Jia, Li, Song: REFIT: A Unified Watermark Removal Framework for Deep Learning
 * Systems with Limited Data, AsiaCCS 2021, arXiv:1911.07205).
 *
 * Fine-tuning at a rate that is large enough to forget the mark, and two aids that let the rate be larger still without
 * losing accuracy: elastic weight consolidation (EWC, `elastic-weights.ts`), and augmentation with unlabelled data
 * (AU), images without labels beside each batch that the marked model itself has labelled. Each is a method of its own
 * here, because each is published with its own rate and needs its own data; settings are those of the authors' code.
 */

import { z } from "zod";
import type { FloatTensor } from "../core/tensor.js";
import { cleanView } from "../data/views.js";
import { canonicalGraph } from "../onnx/canonical.js";
import { findClassifier } from "../onnx/classifier.js";
import { storedBefore } from "../onnx/train-from.js";
import { storedTensors } from "../onnx/traverse.js";
import type { TrainedEpoch } from "../training/epochs.js";
import { crossEntropyObjective, meanCrossEntropy, type Objective } from "../training/objective.js";
import { sgdShape } from "../training/options.js";
import { appendConsolidation, fisherInformation, shareOfLargest } from "./elastic-weights.js";
import { lastLayerOf } from "./last-layer.js";
import type { Attack, RemovalMethod } from "./method.js";
import { ownAnswers } from "./own-answers.js";
import { redrawn } from "./redraw.js";
import { CLIP_RATIO, tune, tuneAfter } from "./tuning.js";

const PAPER =
  "Chen, Wang, Bender, Ding, Jia, Li, Song: REFIT: A Unified Watermark Removal Framework for Deep Learning " +
  "Systems with " +
  "Limited Data. AsiaCCS 2021";

const shared = (learningRate: number, schedule: string) => ({
  restart: z.boolean().default(false).describe("draw the last layer anew first"),
  ...sgdShape({ epochs: 60, batch: 100, learningRate, schedule, weightDecay: 5e-4, clipRatio: CLIP_RATIO }),
});

const consolidation = (strength: number) => ({
  ewc: z.number().min(0).default(strength).describe("c, weight of elastic weight consolidation (0: none)"),
  fisherSamples: z
    .int()
    .min(1)
    .default(10_000)
    .describe("gradients that show how much the answers depend on each weight"),
});

const basicOptions = z.strictObject(shared(0.05, "exponential:0.9"));
const ewcOptions = z.strictObject({ ...consolidation(10), ...shared(0.15, "exponential:0.9") });
const auOptions = z.strictObject({
  unlabelledPerStep: z.int().min(1).max(65_536).default(50).describe("images without labels beside each batch"),
  ...consolidation(0),
  ...shared(0.1, "step:15:0.1"),
});

export const refit: RemovalMethod<z.infer<typeof basicOptions>> = {
  id: "refit",
  title: "REFIT",
  summary: "Fine-tunes all layers at a large rate that decays.",
  paper: PAPER,
  needs: ["labelled"],
  baseline: false,
  options: basicOptions,
  label: () => "REFIT",
  run: (attack, chosen) => forget(attack, { ...chosen, ewc: 0, fisherSamples: 0 }),
};

export const refitEwc: RemovalMethod<z.infer<typeof ewcOptions>> = {
  id: "refit-ewc",
  title: "REFIT with elastic weight consolidation",
  summary: "Fine-tunes all layers at a larger rate, while weights that the answers depend on are held where they were.",
  paper: PAPER,
  needs: ["labelled"],
  baseline: false,
  options: ewcOptions,
  label: () => "REFIT-EWC",
  run: forget,
};

export const refitAu: RemovalMethod<z.infer<typeof auOptions>> = {
  id: "refit-au",
  title: "REFIT with unlabelled data",
  summary:
    "Fine-tunes all layers at a large rate, with unlabelled images beside each batch that the marked model labelled.",
  paper: PAPER,
  needs: ["labelled", "unlabelled"],
  baseline: false,
  options: auOptions,
  label: ({ ewc }) => (ewc > 0 ? "REFIT-EWC-AU" : "REFIT-AU"),
  run: forget,
};

type Options = z.infer<typeof ewcOptions> & { readonly unlabelledPerStep?: number };

function forget(attack: Attack, chosen: Options): AsyncIterable<TrainedEpoch> {
  return tuneAfter(async () => {
    const { model, random, trainFrom } = attack;
    const last = chosen.restart
      ? lastLayerOf(model, "REFIT", "Leave its last layer as it is: no --restart.").names
      : [];
    const start = redrawn(model, last, random.stream("init"), trainFrom);
    const beside =
      chosen.unlabelledPerStep === undefined
        ? {}
        : { beside: { images: await ownAnswers(attack), perStep: chosen.unlabelledPerStep } };
    const objective = chosen.ewc > 0 ? await consolidating(attack, chosen, last) : crossEntropyObjective();
    return tune({ ...attack, model: start }, chosen, { objective, views: [cleanView], ...beside });
  });
}

/** Cross-entropy + Ω; a last layer that was drawn anew has nothing worth holding. */
async function consolidating(
  attack: Attack,
  { ewc, fisherSamples }: Options,
  redrawn: readonly string[],
): Promise<Objective> {
  const frozen = storedBefore(canonicalGraph(attack.model.graph), attack.trainFrom);
  const held = findClassifier(attack.model.graph, attack.model.head).trainable.filter(
    (name) => !frozen.has(name) && !redrawn.includes(name),
  );
  const importance = shareOfLargest(await fisherInformation(attack, held, fisherSamples));
  const stored = storedTensors(attack.model.graph);
  const start = new Map(
    held.flatMap((name): [string, FloatTensor][] => {
      const tensor = stored.get(name);
      return tensor?.type === "float32" ? [[name, tensor]] : [];
    }),
  );
  return {
    views: 1,
    build({ b, logits, targets }) {
      const rate = b.input("wildmark/learning_rate", "float32", []);
      const penalty = appendConsolidation(b, { importance, start, strength: ewc, rate });
      return { loss: b.op("Add", [meanCrossEntropy(b, logits, targets), penalty]), learningRate: rate };
    },
  };
}
