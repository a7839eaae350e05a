/**
 * @file Fine-tuning in its four forms (Adi et al., USENIX Security 2018, section 5): the last layer or all layers, kept
 * or re-initialised first.
 */

import { z } from "zod";
import { cleanView } from "../data/views.js";
import { crossEntropyObjective } from "../training/objective.js";
import { lastLayerOf } from "./last-layer.js";
import type { RemovalMethod } from "./method.js";
import { redrawn } from "./redraw.js";
import { tune, tuningShape } from "./tuning.js";

const options = z.strictObject({
  variant: z
    .enum(["ftll", "ftal", "rtll", "rtal"])
    .default("ftal")
    .describe(
      "fine-tune (ft) or re-initialise the last layer first (rt); train the last layer (ll; batch " +
        "normalisation frozen) or all layers (al)",
    ),
  ...tuningShape,
});

export const fineTune: RemovalMethod<z.infer<typeof options>> = {
  id: "fine-tune",
  title: "Fine-tuning",
  summary: "Goes on training with clean images: the last layer or all of them, the last one kept or re-initialised.",
  paper: "Adi, Baum, Cisse, Pinkas, Keshet: Turning Your Weakness Into a Strength. USENIX Security 2018",
  needs: ["labelled"],
  baseline: true,
  variants: [{ variant: "ftll" }, { variant: "ftal" }, { variant: "rtll" }, { variant: "rtal" }],
  options,
  label: ({ variant }) => `Fine-tuning (${variant.toUpperCase()})`,
  run(attack, chosen) {
    const restart = chosen.variant === "rtll" || chosen.variant === "rtal";
    const lastOnly = chosen.variant === "ftll" || chosen.variant === "rtll";
    const layer = restart || lastOnly ? lastLayerOf(attack.model, chosen.variant.toUpperCase(), WITHOUT) : undefined;
    const model =
      layer === undefined || !restart
        ? attack.model
        : redrawn(attack.model, layer.names, attack.random.stream("init"), attack.trainFrom);
    // The layers before the last one are to stay as they are, their running statistics included.
    const tuned = lastOnly ? { ...chosen, batchNorm: "frozen" as const } : chosen;
    return tune({ ...attack, model }, tuned, {
      objective: crossEntropyObjective(),
      views: [cleanView],
      train: lastOnly ? "last-layer" : "all",
    });
  },
};

const WITHOUT = "Fine-tune all layers as they are: variant ftal.";
