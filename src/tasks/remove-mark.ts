/**
 * @file Attacks one marked model, as someone with its weights and a share of the data would.
 *
 * The method sees the model and the share. With a key, every epoch is measured from outside, and the outcome verified.
 */

import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { type Dataset, select, selectImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import type { Verdict } from "../ownership/verdict.js";
import { verifyModel } from "../ownership/verify-model.js";
import type { ChosenMethod } from "../removal/registry.js";
import { attackerSubset, unlabelledSubset } from "./attacker-images.js";
import { measure, runEpochs, yardstickOf } from "./measure.js";
import { reactivate } from "./reactivate.js";
import type { Reactivation } from "./reactivation.js";
import type { EpochRecord, Measurement } from "./records.js";
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
