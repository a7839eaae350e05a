/**
 * @file Fine-tuning in its four forms (Adi et al., USENIX Security 2018, section 5): the last layer or all layers, kept
 * or re-initialised first.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { cleanView } from "../data/views.js";
import { findClassifier } from "../onnx/classifier.js";
import { crossEntropyObjective } from "../training/objective.js";
import type { RemovalMethod } from "./method.js";
import { redrawn } from "./redraw.js";
import { tune, tuningShape } from "./tuning.js";

const options = z.strictObject({
  variant: z
    .enum(["ftll", "ftal", "rtll", "rtal"])
    .default("ftal")
    .describe(
      "fine-tune (ft) or re-initialise the last layer first (rt); train the last layer (ll; batch normalisation frozen) or all layers (al)",
    ),
  ...tuningShape,
});

export const fineTune: RemovalMethod<z.infer<typeof options>> = {
  id: "fine-tune",
  title: "Fine-tuning",
  summary: "Goes on training with clean images: the last layer or all of them, the last one kept or re-initialised.",
  paper: "Adi, Baum, Cisse, Pinkas, Keshet: Turning Your Weakness Into a Strength. USENIX Security 2018",
  needs: ["labelled"],
  control: true,
  variants: [{ variant: "ftll" }, { variant: "ftal" }, { variant: "rtll" }, { variant: "rtal" }],
  options,
  label: ({ variant }) => `Fine-tuning (${variant.toUpperCase()})`,
  run(attack, chosen) {
    const { lastLayer, note } = findClassifier(attack.model.graph);
    const restart = chosen.variant === "rtll" || chosen.variant === "rtal";
    const lastOnly = chosen.variant === "ftll" || chosen.variant === "rtll";
    if (lastLayer.length === 0 && (restart || lastOnly)) throw withoutLastLayer(chosen.variant, note);
    const model = restart
      ? redrawn(attack.model, lastLayer, attack.random.stream("init"), attack.trainFrom)
      : attack.model;
    // The layers before the last one are to stay as they are, their running statistics included.
    const tuned = lastOnly ? { ...chosen, batchNorm: "frozen" as const } : chosen;
    return tune({ ...attack, model }, tuned, {
      objective: crossEntropyObjective(),
      views: [cleanView],
      train: lastOnly ? "last-layer" : "all",
    });
  },
};

function withoutLastLayer(variant: string, note: string | undefined): WildmarkError {
  const why = note === undefined ? "" : ` ${note}`;
  return new WildmarkError("bad-model", `${variant.toUpperCase()} needs a last layer; the model has none.${why}`, {
    hint: "Fine-tune all layers as they are: variant ftal.",
  });
}
