/**
 * @file A fresh model of the same graph, trained on the attacker's images alone: the control that shows what the marked
 * weights are worth. A removal that ends below it would have done better without them.
 */

import { z } from "zod";
import { cleanView } from "../data/views.js";
import { findClassifier } from "../onnx/classifier.js";
import { crossEntropyObjective } from "../training/objective.js";
import { sgdShape } from "../training/options.js";
import type { RemovalMethod } from "./method.js";
import { redrawn } from "./redraw.js";
import { CLIP_RATIO, tune } from "./tuning.js";

/** A fresh model needs more steps than a trained one: smaller batches, more epochs. */
const options = z.strictObject(
  sgdShape({
    epochs: 30,
    batch: 32,
    learningRate: 0.05,
    schedule: "one-cycle",
    weightDecay: 1e-3,
    clipRatio: CLIP_RATIO,
  }),
);

export const scratch: RemovalMethod<z.infer<typeof options>> = {
  id: "scratch",
  title: "From scratch",
  summary: "Forgets the marked weights and trains a fresh model of the same graph on the attacker's images.",
  paper: "a control of our own",
  needs: ["labelled"],
  control: true,
  ignoresModel: true,
  options,
  label: () => "From scratch",
  run(attack, chosen) {
    const { trainable, statistics } = findClassifier(attack.model.graph);
    // The running statistics too: they hold what the marked model has seen.
    const model = redrawn(attack.model, [...trainable, ...statistics], attack.random.stream("init"), attack.trainFrom);
    return tune({ ...attack, model }, chosen, {
      objective: crossEntropyObjective(),
      views: [cleanView],
    });
  },
};
