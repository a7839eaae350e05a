/**
 * @file Distillation (Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, arXiv:1503.02531, section 2)
 * against watermarks: a fresh model of the same graph learns the marked model's soft answers on the attacker's images.
 *
 *     L = T² · CE(softmax(f₀(x)/T), softmax(f(x)/T))     f₀ the marked model, f the fresh one
 *
 * The mark lies in answers on triggers, which nobody asks for here. Into the marked model itself nothing could be
 * distilled: at its own weights the loss is least already, and no step would move them.
 */

import { z } from "zod";
import { cleanView } from "../data/views.js";
import { imageGraph } from "../onnx/image-graph.js";
import { splice } from "../onnx/splice.js";
import type { Objective } from "../training/objective.js";
import { appendDivergence } from "./divergence.js";
import type { Attack, RemovalMethod } from "./method.js";
import { unlabelledOf } from "./own-answers.js";
import { freshModel } from "./redraw.js";
import { freshShape, tune } from "./tuning.js";

const options = z.strictObject({
  temperature: z.number().positive().default(3).describe("T of both softmaxes"),
  ...freshShape,
});

export const distillation: RemovalMethod<z.infer<typeof options>> = {
  id: "distillation",
  title: "Distillation",
  summary: "Trains a fresh model of the same graph on the marked model's soft answers to images without labels.",
  paper: "Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network. arXiv:1503.02531, 2015",
  needs: ["unlabelled"],
  baseline: false,
  options,
  label: () => "Distillation",
  run(attack, chosen) {
    const images = unlabelledOf(attack);
    // The objective reads no target, so every image may stand for class 0.
    const subset = { ...images, classes: attack.subset.classes, labels: new Uint16Array(images.count) };
    return tune({ ...attack, subset, model: freshModel(attack) }, chosen, {
      objective: distillationObjective(attack, chosen.temperature),
      views: [cleanView],
    });
  },
};

/** The loss above, the attacked model being f₀. */
export function distillationObjective(
  { model, subset }: Pick<Attack, "model" | "subset">,
  temperature: number,
): Objective {
  const teacher = imageGraph(model, subset.shape);
  return {
    views: 1,
    meanOfImages: true,
    build({ b, images, logits }) {
      const names = splice(b, teacher.graph, "wildmark/teacher", new Map([[teacher.classifier.input.name, images]]));
      const wanted = names.get(teacher.classifier.logits) ?? teacher.classifier.logits;
      const distance = appendDivergence(b, "ce", wanted, logits, temperature);
      return { loss: b.op("Mul", [distance, b.scalar(temperature ** 2)]) };
    },
  };
}
