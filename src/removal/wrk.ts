/**
 * @file The watermark removal attack WRK (Xiao, Ye, Liang, Li, Li, Zheng, Hu: Class-feature Watermark,
 * arXiv:2511.07947): a mark lives on boundaries that lie near the attacker's own images, so those boundaries are
 * drawn anew.
 *
 * Adversarial copies of the images keep their true labels, and the last layer is shifted as FST shifts it (`fst.ts`):
 *
 *     L = ½ CE(f(x), y) + ½ CE(f(x'), y) + α ⟨W, W₀⟩     with ‖W‖ = ‖W₀‖ restored after each step
 *
 * x' is a copy of x that the marked model errs on, made once. Weights of the terms and the schedule are our own
 * (docs/methods.md).
 */

import { z } from "zod";
import { adversarialCopies, adversarialShape } from "../data/adversarial.js";
import { cleanView, copiesView } from "../data/views.js";
import { type Objective, viewsCrossEntropy } from "../training/objective.js";
import { sgdShape } from "../training/options.js";
import { featureShift } from "./fst.js";
import type { Attack, RemovalMethod } from "./method.js";
import { CLIP_RATIO_AT_001, tune, tuneAfter } from "./tuning.js";

const options = z.strictObject({
  alpha: z.number().min(0).default(0.2).describe("α, weight of the product of the last layer with what it was"),
  ...adversarialShape({ epsilon: 0.03, attackSteps: 1 }),
  ...sgdShape({
    epochs: 10,
    batch: 128,
    learningRate: 0.01,
    schedule: "cosine",
    weightDecay: 1e-4,
    clipRatio: CLIP_RATIO_AT_001,
  }),
});

type WrkOptions = z.infer<typeof options>;

export const wrk: RemovalMethod<WrkOptions> = {
  id: "wrk",
  title: "WRK removal attack",
  summary:
    "Tunes on adversarial copies with their true labels too, while pushing the last layer away from what it was.",
  paper: "Xiao, Ye, Liang, Li, Li, Zheng, Hu: Class-feature Watermark. arXiv:2511.07947, its removal attack",
  needs: ["labelled"],
  baseline: false,
  variants: [{}, { epsilon: 0.15 }],
  options,
  label: ({ epsilon, attackSteps }) => `WRK (ε ${epsilon}${attackSteps === 1 ? "" : `, ${attackSteps} steps`})`,
  run: (attack, chosen) => tuneAfter(() => redrawBoundaries(attack, chosen)),
};

/** The copies are made against the marked model, before its last layer is drawn anew. */
async function redrawBoundaries(attack: Attack, chosen: WrkOptions) {
  const { model, subset, random } = attack;
  const copies = await adversarialCopies(model, subset, chosen, { ...attack, random: random.stream("adversarial") });
  const shift = featureShift(attack);
  const objective: Objective = {
    views: 2,
    build(context) {
      const { b } = context;
      const away = b.op("Mul", [shift.product(b), b.scalar(chosen.alpha)]);
      return { loss: b.op("Add", [viewsCrossEntropy(context, 2), away]) };
    },
  };
  return tune({ ...attack, model: shift.model }, chosen, {
    objective,
    views: [cleanView, copiesView(copies)],
    project: shift.project,
  });
}
