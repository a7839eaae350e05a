/**
 * @file Feature shift tuning (Min, Qin, Shen, Cheng: Towards Stable Backdoor Purification through Feature Shift Tuning,
 * NeurIPS 2023, arXiv:2310.01875; form and settings as in the authors' code).
 *
 * Fine-tuning leaves the features of a trigger where they are, next to a last layer that knows them. FST draws the last
 * layer anew and pushes it away from what it was, so that the features have to move:
 *
 *     L = CE(f(x), y) + α ⟨W, W₀⟩     with ‖W‖ = ‖W₀‖ restored after each step
 *
 * W is the last layer's weight matrix, W₀ what the marked model had there, ⟨·,·⟩ the sum of products of their elements.
 */

import { z } from "zod";
import { float32 } from "../core/tensor.js";
import { cleanView } from "../data/views.js";
import type { GraphBuilder } from "../onnx/builder.js";
import type { Model } from "../onnx/model.js";
import { meanCrossEntropy, type Objective } from "../training/objective.js";
import { sgdShape } from "../training/options.js";
import type { Projection } from "../training/step-plan.js";
import { lastLayerOf } from "./last-layer.js";
import type { Attack, RemovalMethod } from "./method.js";
import { redrawn } from "./redraw.js";
import { CLIP_RATIO_AT_001, tune } from "./tuning.js";

const options = z.strictObject({
  alpha: z.number().min(0).default(0.2).describe("α, weight of the product of the last layer with what it was"),
  ...sgdShape({
    epochs: 10,
    batch: 128,
    learningRate: 0.01,
    schedule: "cosine",
    weightDecay: 0,
    clipRatio: CLIP_RATIO_AT_001,
  }),
});

export const fst: RemovalMethod<z.infer<typeof options>> = {
  id: "fst",
  title: "Feature shift tuning",
  summary: "Draws the last layer anew and tunes all layers while pushing the last one away from what it was.",
  paper: "Min, Qin, Shen, Cheng: Towards Stable Backdoor Purification through Feature Shift Tuning. NeurIPS 2023",
  needs: ["labelled"],
  baseline: false,
  options,
  label: () => "FST",
  run(attack, chosen) {
    const shift = featureShift(attack);
    const objective: Objective = {
      views: 1,
      build({ b, logits, targets }) {
        const away = b.op("Mul", [shift.product(b), b.scalar(chosen.alpha)]);
        return { loss: b.op("Add", [meanCrossEntropy(b, logits, targets), away]) };
      },
    };
    return tune({ ...attack, model: shift.model }, chosen, {
      objective,
      views: [cleanView],
      project: shift.project,
    });
  },
};

/** What FST does to the last layer, for objectives of their own. */
export interface FeatureShift {
  /** The attacked model with its last layer, bias included, drawn anew. */
  readonly model: Model;
  /** Appends ⟨W, W₀⟩, a scalar. */
  readonly product: (b: GraphBuilder) => string;
  /** Gives W the norm of W₀ after each step. */
  readonly project: Projection;
}

/** @throws WildmarkError `bad-model` where no layer makes the scores. */
export function featureShift(attack: Pick<Attack, "model" | "random" | "trainFrom">): FeatureShift {
  const { model, random, trainFrom } = attack;
  const { names, weight, initial } = lastLayerOf(model, "FST", "Choose a method that tunes all layers alike.");
  const norm = Math.sqrt(initial.data.reduce((sum, value) => sum + value * value, 0));
  return {
    model: redrawn(model, names, random.stream("init"), trainFrom),
    product(b) {
      const before = b.initializer("last layer before", float32(initial.dims, initial.data));
      return b.op("ReduceSum", [b.op("Mul", [weight, before])], { keepdims: 0 });
    },
    project(b, { name, updated }) {
      if (name !== weight) return updated;
      const length = b.op("Sqrt", [b.op("ReduceSumSquare", [updated], { keepdims: 0 })]);
      return b.op("Mul", [updated, b.op("Div", [b.scalar(norm), b.op("Max", [length, b.scalar(LEAST)])])]);
    },
  };
}

/** A weight of nothing but zeros has no direction to keep: it stays. */
const LEAST = 1e-20;
