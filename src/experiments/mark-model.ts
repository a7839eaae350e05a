/** @file Marks one model: makes the owner's triggers, trains them in, and makes the key that proves it. */

import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import type { Dataset, Images } from "../data/dataset.js";
import { type Architecture, newModel } from "../models/registry.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import type { Key } from "../ownership/key.js";
import { makeKey } from "../ownership/make-key.js";
import { verifyModel } from "../ownership/verify-model.js";
import { type EmbedOptions, embed } from "../watermarks/embed.js";
import type { ChosenMark } from "../watermarks/registry.js";
import { measure, runEpochs } from "./measure.js";
import type { EpochRecord, Measurement, Verdict } from "./result.js";
import { loopOptions, type RunOptions } from "./run-options.js";

export interface Marking {
  readonly dataset: Dataset;
  /** Images of another domain, for marks that need them. */
  readonly unrelated?: Images;
  readonly mark: ChosenMark;
  /** A model to go on with, or the architecture of a fresh one. */
  readonly start: { readonly model: Model } | { readonly architecture: Architecture };
  readonly options: EmbedOptions;
  /** Triggers, weights, order and all else that is random follow from it. */
  readonly seed: number;
}

export interface MarkedModel {
  readonly model: Model;
  /** Secret: who has it can forge the proof. */
  readonly key: Key;
  /** Accuracy of the given model before; absent for a fresh one. */
  readonly accuracyBefore?: number;
  readonly measured: Measurement;
  readonly verdict: Verdict;
  readonly epochs: readonly EpochRecord[];
}

/** @throws WildmarkError `bad-data` where the data do not give enough triggers, and as `trainEpochs` does. */
export async function markModel(marking: Marking, run: RunOptions = {}): Promise<MarkedModel> {
  const { dataset, unrelated, mark, start, options, seed } = marking;
  const { train, test } = dataset;
  const random = randomStream(seed, "mark", mark.id);
  const set = mark.make({ train, ...(unrelated === undefined ? {} : { unrelated }), random });
  const model =
    "model" in start ? start.model : newModel(start.architecture, { ...train.shape, classes: train.classes }, seed);
  const before = "model" in start ? { accuracyBefore: await accuracy(model, test, run.runtime) } : {};

  const epochs = embed(
    {
      model,
      train,
      triggers: set.triggers,
      random: randomStream(seed, "training"),
      ...loopOptions(run, `embed the ${mark.id} mark`),
    },
    options,
  );
  const marked = await runEpochs(model, epochs, async () => undefined, run.onEpoch);
  const sha256 = modelSha256(encodeModel(marked.model));
  const key = makeKey({ mark, set, seed, modelSha256: sha256 });
  return {
    model: marked.model,
    key,
    ...before,
    measured: await measure(marked.model, { test, ...set }, run.runtime),
    verdict: await verifyModel(marked.model, key, run.runtime === undefined ? {} : { runtime: run.runtime }),
    epochs: marked.epochs,
  };
}
