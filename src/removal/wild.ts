/**
 * @file WILD: removing backdoor-based watermarks with limited data (Liu, Li, Wen, Li; ICPR 2020, arXiv:2008.00407).
 *
 * Random Erasing imitates the trigger, and a penalty pulls together the feature distributions of an image x and of its
 * erased copy x̃:
 *
 *     L = CE(f(x̃), y) + λ · D(F(x), F(x̃)) + μ · CE(f(x), y)
 *
 * The paper has the first two terms; μ, the softmax temperature, the stop-gradient, the layer and the schedule are our
 * own options, because none is published (docs/methods.md).
 */

import { z } from "zod";
import { cleanView, erasedView, erasingShape } from "../data/views.js";
import { meanCrossEntropy, type Objective, rows } from "../training/objective.js";
import { appendDivergence } from "./divergence.js";
import type { RemovalMethod } from "./method.js";
import { tune, tuningShape } from "./tuning.js";

export const wildOptions = z.strictObject({
  metric: z
    .enum(["ce", "js"])
    .default("js")
    .describe("distance between feature distributions: cross-entropy or Jensen-Shannon"),
  lambda: z.number().min(0).default(0.3).describe("λ, weight of the distance"),
  mu: z.number().min(0).default(1).describe("μ, weight of the cross-entropy on clean images (0: the paper's form)"),
  temperature: z.number().positive().default(1).describe("T of the softmax over features"),
  stopGradient: z.boolean().default(false).describe("treat the clean image's features as constant"),
  layer: z.string().default("").describe("name of the feature tensor; default: the input of the last dense layer"),
  ...tuningShape,
  ...erasingShape,
});

type WildOptions = z.infer<typeof wildOptions>;

export const wild: RemovalMethod<WildOptions> = {
  id: "wild",
  title: "WILD",
  summary: "Tunes on randomly erased images while pulling the features of an image and its erased copy together.",
  paper: "Liu, Li, Wen, Li: Removing Backdoor-Based Watermarks in Neural Networks with Limited Data. ICPR 2020",
  needs: ["labelled"],
  baseline: false,
  variants: [{ metric: "ce" }, { metric: "js" }],
  options: wildOptions,
  label: ({ metric }) => `WILD-${metric.toUpperCase()}`,
  run: (attack, options) =>
    tune(attack, options, {
      objective: wildObjective(options),
      views: [cleanView, erasedView(options, attack.subset)],
      ...(options.layer === "" ? {} : { features: options.layer }),
    }),
};

/** The loss above over a stacked batch: rows of view 0 are clean, rows of view 1 erased. */
export function wildObjective(
  options: Pick<WildOptions, "metric" | "lambda" | "mu" | "temperature" | "stopGradient">,
): Objective {
  return {
    views: 2,
    meanOfImages: true,
    build({ b, batch, logits, features, targets }) {
      const flat = b.op("Flatten", [features], { axis: 1 });
      const clean = rows(b, flat, 0, batch);
      const terms = [meanCrossEntropy(b, rows(b, logits, batch, 2 * batch), targets)];
      if (options.lambda > 0) {
        const distance = appendDivergence(
          b,
          options.metric,
          clean,
          rows(b, flat, batch, 2 * batch),
          options.temperature,
        );
        terms.push(b.op("Mul", [distance, b.scalar(options.lambda)]));
      }
      if (options.mu > 0) {
        const onClean = meanCrossEntropy(b, rows(b, logits, 0, batch), targets);
        terms.push(b.op("Mul", [onClean, b.scalar(options.mu)]));
      }
      return { loss: b.op("Sum", terms), ...(options.stopGradient ? { stopAt: [clean] } : {}) };
    },
  };
}
