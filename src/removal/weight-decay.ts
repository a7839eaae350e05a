/**
 * @file The white-box attack of Shafieinejad, Wang, Lukas, Li, Kerschbaum (On the Robustness of Backdoor-based
 * Watermarking in Deep Neural Networks, arXiv:1906.07745): regularise, then fine-tune.
 *
 * A few epochs of strong weight decay shrink the weights towards nothing, and with them what only the triggers use;
 * then the model is fine-tuned under ordinary decay until it gets no better. Labels are the marked model's own answers,
 * so that images without labels are enough.
 */

import { z } from "zod";
import { defined } from "../core/defined.js";
import { permutation } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { type LabelledImages, select } from "../data/dataset.js";
import { cleanView } from "../data/views.js";
import type { TrainedEpoch } from "../training/epochs.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdShape } from "../training/options.js";
import type { Attack, RemovalMethod } from "./method.js";
import { ownAnswers } from "./own-answers.js";
import { CLIP_RATIO_AT_001, tune, tuneAfter } from "./tuning.js";

const options = z.strictObject({
  strongDecay: z.number().min(0).default(0.1).describe("weight decay of the first epochs"),
  strongEpochs: z.int().min(0).default(5).describe("how many of the epochs have the strong weight decay"),
  patience: z
    .int()
    .min(1)
    .default(5)
    .describe("fine-tuning stops once so many epochs have brought no more agreement on the images held out"),
  holdOut: z.number().gt(0).lt(1).default(0.1).describe("share of the attacker's images that is held out to see that"),
  ...sgdShape({
    epochs: 55,
    batch: 64,
    learningRate: 0.01,
    schedule: "constant",
    weightDecay: 5e-4,
    clipRatio: CLIP_RATIO_AT_001,
  }),
});

type Options = z.infer<typeof options>;

export const weightDecay: RemovalMethod<Options> = {
  id: "weight-decay",
  title: "Strong weight decay",
  summary:
    "Shrinks the weights by strong weight decay, then fine-tunes, with the marked model's own answers as labels.",
  paper:
    "Shafieinejad, Wang, Lukas, Li, Kerschbaum: On the Robustness of Backdoor-based Watermarking in Deep " +
    "Neural Networks. " +
    "arXiv:1906.07745, white-box attack",
  needs: ["unlabelled"],
  baseline: false,
  variants: [{}, { strongDecay: 0.25, strongEpochs: 3 }],
  options,
  label: ({ strongDecay }) => `Weight decay ${strongDecay}`,
  run: (attack, chosen) => tuneAfter(async () => decayThenTune(attack, await ownAnswers(attack), chosen)),
};

async function* decayThenTune(
  attack: Attack,
  images: LabelledImages,
  chosen: Options,
): AsyncGenerator<TrainedEpoch, void, undefined> {
  const { kept, heldOut } = split(attack, images, chosen.holdOut);
  const plan = { objective: crossEntropyObjective(), views: [cleanView] };
  const strong = Math.min(chosen.strongEpochs, chosen.epochs);
  let model = attack.model;
  if (strong > 0) {
    const decaying = { ...chosen, epochs: strong, weightDecay: chosen.strongDecay };
    const shrunk = { ...attack, subset: kept, random: attack.random.stream("decay") };
    for await (const epoch of tune(shrunk, decaying, plan)) {
      if (epoch.epoch === strong) model = epoch.model();
      yield epoch;
    }
  }
  if (strong === chosen.epochs) return;

  let best = -1;
  let since = 0;
  const tuning = { ...chosen, epochs: chosen.epochs - strong };
  // Whoever looks at every epoch's model cannot go on from the last one.
  const { checkpoint, ...whole } = attack;
  const going = heldOut === undefined ? { ...whole, ...defined({ checkpoint }) } : whole;
  for await (const epoch of tune({ ...going, model, subset: kept }, tuning, plan)) {
    yield { ...epoch, epoch: strong + epoch.epoch };
    if (heldOut === undefined) continue;
    const agreeing = await accuracy(epoch.model(), heldOut, attack.runtime);
    since = agreeing > best ? 0 : since + 1;
    best = Math.max(best, agreeing);
    if (since === chosen.patience) return;
  }
}

/** The images to train on, and those held out: at least one, unless there is but one image. */
function split({ random }: Attack, images: LabelledImages, holdOut: number) {
  const order = permutation(images.count, random.stream("hold out"));
  const held = Math.min(Math.max(1, Math.round(holdOut * images.count)), images.count - 1);
  return {
    kept: select(images, order.subarray(held)),
    heldOut: held === 0 ? undefined : select(images, order.subarray(0, held)),
  };
}
