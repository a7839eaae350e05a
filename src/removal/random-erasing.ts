/**
 * @file Random Erasing alone: WILD with λ = μ = 0, the ablation that shows what the penalty adds.
 *
 * Zhong et al., AAAI 2020, as an augmentation while tuning; every image is erased (p = 1), as in WILD.
 */

import { z } from "zod";
import { erasedView, erasingShape } from "../data/views.js";
import { crossEntropyObjective } from "../training/objective.js";
import type { RemovalMethod } from "./method.js";
import { tune, tuningShape } from "./tuning.js";

const options = z.strictObject({
  ...tuningShape,
  ...erasingShape,
});

export const randomErasing: RemovalMethod<z.infer<typeof options>> = {
  id: "random-erasing",
  title: "Random Erasing alone",
  summary: "Tunes on randomly erased images only: WILD without its penalty.",
  paper: "Zhong, Zheng, Kang, Li, Yang: Random Erasing Data Augmentation. AAAI 2020",
  needs: ["labelled"],
  baseline: true,
  options,
  label: () => "Random Erasing alone",
  run: (attack, chosen) =>
    tune(attack, chosen, {
      objective: crossEntropyObjective(),
      views: [erasedView(chosen, attack.subset)],
    }),
};
