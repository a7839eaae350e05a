/**
 * @file Neural dehydration (Lu, Li, Zhang, Pan, Yang: Neural Dehydration: Effective Erasure of Black-box Watermarks
 * from DNNs with Limited Data, CCS 2024, arXiv:2309.03466): what a model takes for its classes is recovered from the
 * model, a mark among it, and unlearnt.
 *
 *     L = CE(f(x), y) + w · KL(u ‖ softmax f(x̂))      u the same for all classes, x̂ a recovered image
 *
 * with the mean over classes too in KL, as the authors' code has it. x are the attacker's images, or, where there are
 * none, the half of the recovered images that is nearer to normal ones; then x̂ is the other half. All classes are
 * unlearnt; how the paper finds a mark's target class is `detection/smooth-accuracy.ts`.
 */

import { z } from "zod";
import type { LabelledImages } from "../data/dataset.js";
import { recoveredImages, recoverySteps, splitRecovered } from "../data/recovered-images.js";
import { cleanView } from "../data/views.js";
import { meanCrossEntropy, type Objective, rows } from "../training/objective.js";
import { sgdShape } from "../training/options.js";
import { type Attack, type RemovalMethod, stepsOfEpochs } from "./method.js";
import { CLIP_RATIO_AT_001, tune, tuneAfter } from "./tuning.js";

const options = z.strictObject({
  dataFree: z.boolean().default(false).describe("use none of the attacker's images: recovered ones stand for them"),
  recovered: z.int().min(2).max(100_000).default(250).describe("images that are recovered for each class"),
  recoverySteps: z.int().min(1).max(1_000_000).default(400).describe("steps of Adam to a recovered image"),
  recoveredPerStep: z.int().min(1).max(65_536).default(128).describe("recovered images beside each batch"),
  unlearning: z.number().min(0).default(15).describe("w, weight of the distance to an even answer"),
  ...sgdShape({
    epochs: 40,
    batch: 128,
    learningRate: 0.01,
    schedule: "constant",
    weightDecay: 5e-4,
    clipRatio: CLIP_RATIO_AT_001,
  }),
});

type DehydraOptions = z.infer<typeof options>;

/** Images of each class that audits recover: the published number takes a minute and more at every budget. */
const AUDITED = 50;

export const dehydra: RemovalMethod<DehydraOptions> = {
  id: "dehydra",
  title: "Neural dehydration",
  summary: "Recovers from the model what it takes for its classes, and teaches it to be undecided there.",
  paper:
    "Lu, Li, Zhang, Pan, Yang: Neural Dehydration: Effective Erasure of Black-box Watermarks from DNNs with " +
    "Limited Data. " +
    "CCS 2024",
  needs: ["labelled"],
  baseline: false,
  variants: [{ recovered: AUDITED }, { recovered: AUDITED, dataFree: true }],
  options,
  label: ({ dataFree }) => (dataFree ? "Dehydra (data-free)" : "Dehydra"),
  steps(chosen, { images, classes }) {
    const recovered = classes * chosen.recovered;
    const tuning = stepsOfEpochs(chosen, { images: chosen.dataFree ? recovered : images, classes });
    return recoverySteps(chosen.recovered, chosen.recoverySteps, classes) + tuning;
  },
  run: (attack, chosen) => tuneAfter(() => dehydrate(attack, chosen)),
};

async function dehydrate(attack: Attack, chosen: DehydraOptions) {
  const recovered = await recoveredImages(attack, { perClass: chosen.recovered, steps: chosen.recoverySteps });
  const { keep, unlearn } = await parts(attack, recovered, chosen.dataFree);
  const perStep = Math.min(chosen.recoveredPerStep, unlearn.count);
  return tune({ ...attack, subset: keep }, chosen, {
    objective: unlearningObjective(perStep, keep.classes, chosen.unlearning),
    views: [cleanView],
    beside: { images: unlearn, perStep },
  });
}

async function parts(
  attack: Attack,
  recovered: LabelledImages,
  dataFree: boolean,
): Promise<{ readonly keep: LabelledImages; readonly unlearn: LabelledImages }> {
  if (!dataFree) return { keep: attack.subset, unlearn: recovered };
  const { normal, marked } = await splitRecovered(attack, recovered);
  return { keep: normal, unlearn: marked };
}

/**
 * The loss above, for batches whose last `unlearnt` rows are recovered images; their targets are not read.
 *
 * @param weight w
 */
export function unlearningObjective(unlearnt: number, classes: number, weight: number): Objective {
  return {
    views: 1,
    build({ b, batch, logits, targets }) {
      const kept = batch - unlearnt;
      const clean = meanCrossEntropy(b, rows(b, logits, 0, kept), rows(b, targets, 0, kept));
      const logQ = b.op("LogSoftmax", [rows(b, logits, kept, batch)], { axis: -1 });
      // KL(u ‖ q) = −log K − mean log q over the classes, and of that the mean over the classes once more.
      const mean = b.op("ReduceMean", [logQ], { keepdims: 0 });
      const distance = b.op("Sub", [b.scalar(-Math.log(classes)), mean]);
      return { loss: b.op("Add", [clean, b.op("Mul", [distance, b.scalar(weight / classes)])]) };
    },
  };
}
