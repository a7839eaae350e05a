/**
 * @file Attacks one marked model, as someone with its weights and a share of the data would.
 *
 * The method sees the model and the share. With a key, every epoch is measured from outside, and the outcome verified.
 */

import { WildmarkError } from "../core/errors.js";
import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { type Dataset, select, selectImages } from "../data/dataset.js";
import { nestedSubset } from "../data/subset.js";
import type { Model } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import { verifyModel } from "../ownership/verify-model.js";
import type { ChosenMethod } from "../removal/registry.js";
import { measure, runEpochs, yardstickOf } from "./measure.js";
import { reactivate } from "./reactivate.js";
import type { Reactivation } from "./reactivation.js";
import type { EpochRecord, Measurement, Verdict } from "./result.js";
import { loopOptions, type RunOptions } from "./run-options.js";

export interface Removal {
  readonly model: Model;
  readonly dataset: Dataset;
  readonly method: ChosenMethod;
  /** The attacker's share of the training set, in (0, 1]. */
  readonly fraction: number;
  /** For methods that need images without labels: their share of the training set, none of them labelled; default: `fraction` again. */
  readonly unlabelled?: number;
  /** Draws the shares, and all else that is random. */
  readonly seed: number;
  /** The owner's key, to see what becomes of the mark; the method never does. */
  readonly key?: Key;
  /** With a key: whether a few steps of tuning on clean training images bring the mark back; default: not tried. */
  readonly reactivation?: Reactivation;
}

export interface CleanedModel {
  readonly model: Model;
  /** The attacker's labelled images. */
  readonly images: number;
  /** Those without labels; 0 where the method needs none. */
  readonly unlabelledImages: number;
  readonly accuracyBefore: number;
  readonly accuracyAfter: number;
  /** From epoch 0, the given model; measured where there is a key. */
  readonly epochs: readonly EpochRecord[];
  /** Time spent training. */
  readonly seconds: number;
}

/** What became of the mark, for whoever holds the key. */
export interface CleanedMark {
  readonly before: Measurement;
  readonly after: Measurement;
  readonly verdict: Verdict;
  /** After re-activation, where it was asked for. */
  readonly reactivated?: { readonly measured: Measurement; readonly verdict: Verdict; readonly seconds: number };
}

/** What shares of a data set are drawn by. */
interface Labels {
  readonly train: Pick<Dataset["train"], "labels" | "classes" | "count">;
}

/**
 * The attacker's images, as indices into the training set.
 *
 * @throws WildmarkError `usage` for a fraction outside (0, 1], `bad-data` where it leaves a class empty.
 */
export function attackerSubset({
  dataset,
  fraction,
  seed,
}: Pick<Removal, "fraction" | "seed"> & { readonly dataset: Labels }): Uint32Array {
  return nestedSubset(dataset.train.labels, dataset.train.classes, fraction, seed);
}

/**
 * The images without labels that come with them: the next ones in the same order, so that no image is in both.
 *
 * @throws WildmarkError `usage` for a share outside (0, 1], `bad-data` where the labelled ones leave nothing.
 */
export function unlabelledSubset(
  removal: Pick<Removal, "fraction" | "seed" | "unlabelled"> & { readonly dataset: Labels },
): Uint32Array {
  const { dataset, fraction, seed, unlabelled = fraction } = removal;
  if (!(unlabelled > 0 && unlabelled <= 1)) {
    throw new WildmarkError(
      "usage",
      `A share of images without labels must be above 0 and at most 1, found ${unlabelled}.`,
    );
  }
  const labelled = attackerSubset(removal).length;
  const both = attackerSubset({ dataset, fraction: Math.min(1, fraction + unlabelled), seed });
  if (both.length > labelled) return both.subarray(labelled);
  throw new WildmarkError(
    "bad-data",
    `The method needs images without labels; ${labelled} labelled ones of ${dataset.train.count} leave none.`,
    { hint: "Give the attacker a smaller share of labelled images." },
  );
}

/** @throws WildmarkError as both do where the method needs both: before anything long is begun. */
export function requireAttackerImages(removal: Omit<Removal, "model" | "key">): void {
  attackerSubset(removal);
  if (removal.method.needs.includes("unlabelled")) unlabelledSubset(removal);
}

/**
 * Runs the method and measures around it.
 *
 * @throws WildmarkError as `attackerSubset` and `trainEpochs` do.
 */
export function removeMark(
  removal: Removal & { readonly key: Key },
  run?: RunOptions,
): Promise<CleanedModel & { readonly mark: CleanedMark }>;
export function removeMark(removal: Removal, run?: RunOptions): Promise<CleanedModel & { readonly mark?: CleanedMark }>;
export async function removeMark(
  removal: Removal,
  run: RunOptions = {},
): Promise<CleanedModel & { readonly mark?: CleanedMark }> {
  const { model, dataset, method, seed, key } = removal;
  const { runtime } = run;
  const unlabelled = method.needs.includes("unlabelled")
    ? selectImages(dataset.train, unlabelledSubset(removal))
    : undefined;
  const subset = select(dataset.train, attackerSubset(removal));
  const epochs = method.run({
    model,
    subset,
    ...(unlabelled === undefined ? {} : { unlabelled }),
    random: randomStream(seed, "attack", method.label),
    ...loopOptions(run, `remove with ${method.label}`),
  });
  const look = async (current: Model): Promise<Measurement | undefined> =>
    key === undefined ? undefined : measure(current, yardstickOf(key, dataset.test), runtime);
  const cleaned = await runEpochs(model, epochs, look, run.onEpoch);

  const before = cleaned.epochs[0]?.measured;
  const after = cleaned.epochs.at(-1)?.measured;
  const outcome = {
    model: cleaned.model,
    images: subset.count,
    unlabelledImages: unlabelled?.count ?? 0,
    accuracyBefore: before?.accuracy ?? (await accuracy(model, dataset.test, runtime)),
    accuracyAfter: after?.accuracy ?? (await accuracy(cleaned.model, dataset.test, runtime)),
    epochs: cleaned.epochs,
    seconds: cleaned.seconds,
  };
  if (key === undefined || before === undefined || after === undefined) return outcome;
  const verify = (suspect: Model): Promise<Verdict> =>
    verifyModel(suspect, key, { madeHere: true, ...(runtime === undefined ? {} : { runtime }) });
  const mark = { before, after, verdict: await verify(cleaned.model) };
  if (removal.reactivation === undefined) return { ...outcome, mark };
  const random = randomStream(seed, "re-activate");
  const again = await reactivate(cleaned.model, dataset.train, removal.reactivation, random, run);
  const measured = await measure(again.model, yardstickOf(key, dataset.test), runtime);
  const reactivated = { measured, verdict: await verify(again.model), seconds: again.seconds };
  return { ...outcome, mark: { ...mark, reactivated } };
}
