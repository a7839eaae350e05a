/** @file Images without labels, and what the marked model answers on them: labels that cost nobody anything. */

import { answers } from "../data/answers.js";
import type { Images, LabelledImages } from "../data/dataset.js";
import type { Attack } from "./method.js";

/** Whoever runs a method that `needs` images without labels gives it some. */
export function unlabelledOf({ unlabelled }: Attack): Images {
  if (unlabelled !== undefined) return unlabelled;
  throw new Error("the method needs images without labels and was given none");
}

/** The images without labels, each with the class that the marked model answers. */
export async function ownAnswers(attack: Attack): Promise<LabelledImages> {
  const images = unlabelledOf(attack);
  const labels = await answers(attack.model, images, attack.runtime);
  return { ...images, classes: attack.subset.classes, labels };
}
