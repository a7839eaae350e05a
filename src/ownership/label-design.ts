/**
 * @file Whether a key's labels can have been drawn at random.
 *
 * The binomial test needs it, and a key's own word is not enough, because its owner wrote it. So the labels themselves
 * are looked at: a single class for all, or one class too often, is treated as chosen, and so are labels that are the
 * classes of the pictures themselves more often than chance has it.
 */

import { binomialTail } from "../core/statistics.js";

/**
 * Below this probability an excess of one label is not put down to chance. Small, because an honest key that falls
 * below it by bad luck could then only be used with placebos.
 */
const PLAUSIBLE = 1e-3;

export interface LabelDesign {
  readonly random: boolean;
  /** The labels in words, to put into a sentence; which classes they are stays secret. */
  readonly text: string;
  /** Which innocent model would match them more often than luck has it: "an innocent model that …". */
  readonly favouredBy: string;
}

/**
 * @param labels of the triggers, each below `classes`.
 * @param own classes of the images that the triggers were made from, as many, where they have one.
 */
export function labelDesign(labels: Uint16Array, classes: number, own?: Uint16Array): LabelDesign {
  const favouredBy = "prefers such a class";
  const right = labels.reduce((sum, label, i) => sum + (label === own?.[i] ? 1 : 0), 0);
  if (binomialTail(right, labels.length, 1 / classes) < PLAUSIBLE) {
    const text = `${right} of ${labels.length} triggers carry the class of the image that they were made from`;
    return { random: false, text, favouredBy: "knows such images" };
  }
  const counts = new Uint32Array(classes);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  const most = Math.max(...counts);
  if (most === labels.length) {
    return { random: false, text: "all triggers carry the same label", favouredBy };
  }
  // Bonferroni over the classes bounds the chance that any of them reaches this count.
  const random = classes * binomialTail(most, labels.length, 1 / classes) >= PLAUSIBLE;
  const text = `${most} of ${labels.length} triggers carry the same label`;
  return { random, text, favouredBy };
}
