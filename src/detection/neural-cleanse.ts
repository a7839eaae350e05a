/**
 * @file Neural Cleanse (Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao, S&P 2019): for each class the smallest stamp that
 * makes the model answer it whatever it is put on; a class that needs a much smaller one than the others has a
 * backdoor. The search is `data/reversed-trigger.ts`.
 *
 * The value is how far the smallest stamp lies below the median, in median absolute deviations (times 1.4826).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { reversalShape, reverseTriggers } from "../data/reversed-trigger.js";
import type { Subject } from "./detector.js";
import { largest, medianDeviations } from "./outliers.js";
import type { StatisticMethod } from "./statistic-method.js";

const { sources: _, ...shape } = reversalShape;
const options = z.strictObject({
  ...shape,
  rounds: shape.rounds.default(30),
  roundSteps: shape.roundSteps.default(10),
});

export const neuralCleanse: StatisticMethod<z.infer<typeof options>> = {
  id: "neural-cleanse",
  title: "Neural Cleanse",
  summary: "Looks for the smallest stamp that makes the model answer each class, and for a class that needs little.",
  source:
    "Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao: Neural Cleanse: Identifying and Mitigating Backdoor Attacks in " +
    "Neural Networks. S&P 2019; fewer rounds by default",
  blind:
    "Clean models are known to give false alarms (an index of 3.6 on MNIST, above 2 on ResNet-18), and triggers that " +
    "are no stamp, or have a label each, are missed.",
  needs: "images",
  options,
  published: { rounds: 1000, roundSteps: 1563 },
  async measure(subject, chosen) {
    const triggers = await reverseTriggers({ ...subject, subset: imagesOf(subject) }, { ...chosen, sources: "all" });
    // A class that no stamp leads to needs at least the whole image.
    const whole = subject.shape.height * subject.shape.width;
    const sizes = Array.from({ length: subject.classes }, (_, label) => {
      const trigger = triggers.find(({ target }) => target === label);
      return trigger?.works === true ? trigger.size : whole;
    });
    const below = medianDeviations(sizes).map((deviation) => -deviation);
    const target = largest(below);
    return { value: below[target] ?? 0, target, classes: below };
  },
};

function imagesOf({ images }: Subject) {
  if (images !== undefined) return images;
  throw new WildmarkError("usage", `${neuralCleanse.title} needs clean images; none are given.`, {
    hint: "Give it some of the kind that the model is for.",
  });
}
