/**
 * @file Takes a mark off one model, and says what became of it: the attack, and for whoever holds the key what every
 * epoch left, the verdict on the outcome, and whether a little tuning brings the mark back.
 */

import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import type { Model } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import type { Verdict } from "../ownership/verdict.js";
import { verifyModel } from "../ownership/verify-model.js";
import { type AttackedModel, attackModel, type ModelAttack } from "./attack-model.js";
import { measure, yardstickOf } from "./measure.js";
import { reactivate } from "./reactivate.js";
import type { Reactivation } from "./reactivation.js";
import type { Measurement } from "./records.js";
import type { RunOptions } from "./run-options.js";
import { defined } from "../core/defined.js";

export interface Removal extends ModelAttack {
  /** The owner's key, to see what becomes of the mark; the method never does. */
  readonly key?: Key;
  /** With a key: whether a few steps of tuning on clean training images bring the mark back; default: not tried. */
  readonly reactivation?: Reactivation;
}

/** Its epochs are measured if there is a key. */
export interface CleanedModel extends AttackedModel {
  readonly accuracyBefore: number;
  readonly accuracyAfter: number;
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
 * @throws WildmarkError as `attackModel` does.
 */
export function removeMark(
  removal: Removal & { readonly key: Key },
  run?: RunOptions,
): Promise<CleanedModel & { readonly mark: CleanedMark }>;
export function removeMark(removal: Removal, run?: RunOptions): Promise<CleanedModel & { readonly mark?: CleanedMark }>;
export async function removeMark(
  { key, reactivation, ...attack }: Removal,
  run: RunOptions = {},
): Promise<CleanedModel & { readonly mark?: CleanedMark }> {
  const { model, dataset, seed } = attack;
  const { runtime } = run;
  const yardstick = key === undefined ? undefined : yardstickOf(key, dataset.test);
  const attacked = await attackModel(attack, run, yardstick);
  const before = attacked.epochs[0]?.measured;
  const after = attacked.epochs.at(-1)?.measured;
  const cleaned = {
    ...attacked,
    accuracyBefore: before?.accuracy ?? (await accuracy(model, dataset.test, runtime)),
    accuracyAfter: after?.accuracy ?? (await accuracy(attacked.model, dataset.test, runtime)),
  };
  if (key === undefined || yardstick === undefined || before === undefined || after === undefined) return cleaned;
  const verify = (suspect: Model): Promise<Verdict> =>
    verifyModel(suspect, key, { madeHere: true, ...defined({ runtime }) });
  const mark = { before, after, verdict: await verify(attacked.model) };
  if (reactivation === undefined) return { ...cleaned, mark };
  const again = await reactivate(attacked.model, dataset.train, reactivation, randomStream(seed, "re-activate"), run);
  const measured = await measure(again.model, yardstick, runtime);
  const reactivated = { measured, verdict: await verify(again.model), seconds: again.seconds };
  return { ...cleaned, mark: { ...mark, reactivated } };
}
