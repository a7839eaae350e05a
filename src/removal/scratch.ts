/**
 * @file A fresh model of the same graph, trained on the attacker's images alone: the control that shows what the marked
 * weights are worth. A removal that ends below it would have done better without them.
 */

import { z } from "zod";
import { cleanView } from "../data/views.js";
import { crossEntropyObjective } from "../training/objective.js";
import type { RemovalMethod } from "./method.js";
import { freshModel } from "./redraw.js";
import { freshShape, tune } from "./tuning.js";

const options = z.strictObject(freshShape);

export const scratch: RemovalMethod<z.infer<typeof options>> = {
  id: "scratch",
  title: "From scratch",
  summary: "Forgets the marked weights and trains a fresh model of the same graph on the attacker's images.",
  paper: "a control of our own",
  needs: ["labelled"],
  baseline: true,
  ignoresModel: true,
  options,
  label: () => "From scratch",
  run: (attack, chosen) =>
    tune({ ...attack, model: freshModel(attack) }, chosen, {
      objective: crossEntropyObjective(),
      views: [cleanView],
    }),
};
