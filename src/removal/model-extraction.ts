/**
 * @file The black-box attack of Shafieinejad, Wang, Lukas, Li, Kerschbaum (On the Robustness of Backdoor-based
 * Watermarking in Deep Neural Networks, arXiv:1906.07745): a fresh model is trained on images without labels
 * with the classes that the marked model answers. It needs answers to queries, no weights and no label.
 */

import { z } from "zod";
import { cleanView } from "../data/views.js";
import { crossEntropyObjective } from "../training/objective.js";
import type { RemovalMethod } from "./method.js";
import { ownAnswers } from "./own-answers.js";
import { freshModel } from "./redraw.js";
import { freshShape, tune, tuneAfter } from "./tuning.js";

const options = z.strictObject(freshShape);

export const modelExtraction: RemovalMethod<z.infer<typeof options>> = {
  id: "model-extraction",
  title: "Model extraction",
  summary: "Trains a fresh model of the same graph on images without labels and the marked model's answers to them.",
  paper:
    "Shafieinejad, Wang, Lukas, Li, Kerschbaum: On the Robustness of Backdoor-based Watermarking in Deep " +
    "Neural Networks. " +
    "arXiv:1906.07745, black-box attack",
  needs: ["unlabelled"],
  baseline: false,
  options,
  label: () => "Model extraction",
  run: (attack, chosen) =>
    tuneAfter(async () =>
      tune({ ...attack, subset: await ownAnswers(attack), model: freshModel(attack) }, chosen, {
        objective: crossEntropyObjective(),
        views: [cleanView],
      }),
    ),
};
