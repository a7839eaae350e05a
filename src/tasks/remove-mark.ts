/**
 * @file Takes a mark off one model, and says what became of it: the attack, and for whoever holds the key what every
 * epoch left, the verdict on the outcome, and whether a little tuning brings the mark back.
 */

import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import { select } from "../data/dataset.js";
import { type CutGate, cutPlanted, type RefusedGate } from "../detection/cut.js";
import type { Finding } from "../detection/finding.js";
import type { Model } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import type { Verdict } from "../ownership/verdict.js";
import { verifyModel } from "../ownership/verify-model.js";
import { type AttackedModel, attackModel, type ModelAttack } from "./attack-model.js";
import { attackerSubset } from "./attacker-images.js";
import { checkGraph, graphSubject, graphWarnings } from "./graph-check.js";
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
  /** Whether gates that are certainly planted in the graph are cut out before the method runs; default false. */
  readonly cut?: boolean;
}

/** What a removal method never touches: the graph. */
export interface GraphRecord {
  /** What was found in the given model, beyond what is worth a note. */
  readonly before: readonly Finding[];
  /** What was cut out of it, where that was asked for. */
  readonly cut: readonly CutGate[];
  /** Why others stayed. */
  readonly refused: readonly RefusedGate[];
  /** What is found in the outcome. With something planted in it, no mark's end makes the model clean. */
  readonly after: readonly Finding[];
}

/** Its epochs are measured if there is a key. */
export interface CleanedModel extends AttackedModel {
  readonly accuracyBefore: number;
  readonly accuracyAfter: number;
  readonly graph: GraphRecord;
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
  { key, reactivation, cut = false, ...given }: Removal,
  run: RunOptions = {},
): Promise<CleanedModel & { readonly mark?: CleanedMark }> {
  const { model, dataset, seed } = given;
  const { runtime } = run;
  const images = select(dataset.train, attackerSubset(given));
  const look = (looked: Model) => graphSubject(looked, images, seed, run);
  const subject = look(model);
  const found = await checkGraph(subject);
  for (const line of graphWarnings(found, "the model")) run.progress?.note(line);
  const pruned = cut ? await cutPlanted(subject, found) : { model, cut: [], refused: [] };
  const attack = { ...given, model: pruned.model };
  const yardstick = key === undefined ? undefined : yardstickOf(key, dataset.test);
  const attacked = await attackModel(attack, run, yardstick);
  const before = attacked.epochs[0]?.measured;
  const after = attacked.epochs.at(-1)?.measured;
  const cleaned = {
    ...attacked,
    accuracyBefore: before?.accuracy ?? (await accuracy(model, dataset.test, runtime)),
    accuracyAfter: after?.accuracy ?? (await accuracy(attacked.model, dataset.test, runtime)),
    graph: {
      before: found,
      cut: pruned.cut,
      refused: pruned.refused,
      // Weights do not plant gates: where there was nothing, there is nothing.
      after: found.length === 0 ? [] : await checkGraph(look(attacked.model)),
    },
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
