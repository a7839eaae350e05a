/**
 * @file One attack: a removal method run on one marked model, as someone with its weights and a share of the data
 * would.
 *
 * The method sees the model and the share. Whoever holds the key may measure each epoch from outside.
 */

import { randomStream } from "../core/random.js";
import { type Dataset, select, selectImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { ChosenMethod } from "../removal/registry.js";
import { attackerSubset, unlabelledSubset } from "./attacker-images.js";
import { type MeasuredRun, measure, runEpochs, type Yardstick } from "./measure.js";
import type { Measurement } from "./records.js";
import { loopOptions, type RunOptions } from "./run-options.js";
import { defined } from "../core/defined.js";

export interface ModelAttack {
  readonly model: Model;
  readonly dataset: Dataset;
  readonly method: ChosenMethod;
  /** The attacker's share of the training set, in (0, 1]. */
  readonly fraction: number;
  /**
   * For methods that need images without labels: their share of the training set, none of them labelled; default:
   * `fraction` again.
   */
  readonly unlabelled?: number;
  /** Draws the shares, and all else that is random. */
  readonly seed: number;
}

export interface AttackedModel extends MeasuredRun {
  /** The attacker's labelled images. */
  readonly images: number;
  /** Those without labels; 0 if the method needs none. */
  readonly unlabelledImages: number;
}

/**
 * Runs the method.
 *
 * @param yardstick what to measure each epoch on, epoch 0 (the given model) first; default: nothing is measured.
 * @throws WildmarkError as `attackerSubset` and `trainEpochs` do.
 */
export async function attackModel(
  attack: ModelAttack,
  run: RunOptions = {},
  yardstick?: Yardstick,
): Promise<AttackedModel> {
  const { model, dataset, method, seed } = attack;
  const unlabelled = method.needs.includes("unlabelled")
    ? selectImages(dataset.train, unlabelledSubset({ ...attack, dataset }))
    : undefined;
  const subset = select(dataset.train, attackerSubset(attack));
  const epochs = method.run({
    model,
    subset,
    ...defined({ unlabelled }),
    random: randomStream(seed, "attack", method.label),
    ...loopOptions(run, `remove with ${method.label}`),
  });
  const look = async (current: Model): Promise<Measurement | undefined> =>
    yardstick === undefined ? undefined : measure(current, yardstick, run.runtime);
  const attacked = await runEpochs(model, epochs, look, run);
  return { ...attacked, images: subset.count, unlabelledImages: unlabelled?.count ?? 0 };
}
