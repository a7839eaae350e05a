/** @file The attacker's images: shares of the training set, drawn by a seed. */

import { WildmarkError } from "../core/errors.js";
import type { Dataset } from "../data/dataset.js";
import { nestedSubset } from "../data/subset.js";
import type { ChosenMethod } from "../removal/registry.js";

/** What shares of a data set are drawn by. */
interface Labels {
  readonly train: Pick<Dataset["train"], "labels" | "classes" | "count">;
}

export interface Attacker {
  readonly dataset: Labels;
  /** The attacker's share of the training set, in (0, 1]. */
  readonly fraction: number;
  /** A share without labels for methods that need one; default: `fraction` again. */
  readonly unlabelled?: number;
  /** Draws the shares. */
  readonly seed: number;
}

/**
 * The attacker's images, as indices into the training set.
 *
 * @throws WildmarkError `usage` for a fraction outside (0, 1], `bad-data` where it leaves a class empty.
 */
export function attackerSubset({ dataset, fraction, seed }: Attacker): Uint32Array {
  return nestedSubset(dataset.train.labels, dataset.train.classes, fraction, seed);
}

/**
 * The images without labels that come with them: the next ones in the same order, so that no image is in both.
 *
 * @throws WildmarkError `usage` for a share outside (0, 1], `bad-data` where the labelled ones leave nothing.
 */
export function unlabelledSubset(attacker: Attacker): Uint32Array {
  const { dataset, fraction, seed, unlabelled = fraction } = attacker;
  if (!(unlabelled > 0 && unlabelled <= 1)) {
    throw new WildmarkError(
      "usage",
      `A share of images without labels must be above 0 and at most 1, found ${unlabelled}.`,
    );
  }
  const labelled = attackerSubset(attacker).length;
  const both = attackerSubset({ dataset, fraction: Math.min(1, fraction + unlabelled), seed });
  if (both.length > labelled) return both.subarray(labelled);
  throw new WildmarkError(
    "bad-data",
    `The method needs images without labels; ${labelled} labelled ones of ${dataset.train.count} leave none.`,
    { hint: "Give the attacker a smaller share of labelled images." },
  );
}

/** @throws WildmarkError as both do where the method needs both: before anything long is begun. */
export function requireAttackerImages(attacker: Attacker, { needs }: Pick<ChosenMethod, "needs">): void {
  attackerSubset(attacker);
  if (needs.includes("unlabelled")) unlabelledSubset(attacker);
}
