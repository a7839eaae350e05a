/** @file Which models may be null models, trained without the mark: each fits the key, and counts once. */

import { WildmarkError } from "../core/errors.js";
import { binomialTail } from "../core/statistics.js";
import { answers } from "../data/answers.js";
import type { LabelledImages } from "../data/dataset.js";
import { requireFit } from "../data/fit.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Key } from "./key.js";

export interface NullModel {
  /** What messages call it: its file. */
  readonly name: string;
  readonly model: Model;
}

/**
 * Refuses null models that would make the test mean nothing. Models are told apart by the hash of their bytes, so a
 * copy with one weight changed passes: that they were trained apart is the owner's word.
 *
 * @throws WildmarkError `usage` for the suspect, the marked model of the key, or one model twice; `bad-key` for a model
 *   that takes other images or answers other classes than the key's.
 */
export function requireNullModels(suspect: Model | undefined, key: Key, nullModels: readonly NullModel[]): void {
  const { shape, classes } = key;
  const seen = new Map<string, string>([
    [key.modelSha256, "the marked model that the key was made for"],
    ...(suspect === undefined ? [] : [[modelSha256(encodeModel(suspect)), "the suspect"] as const]),
  ]);
  for (const { name, model } of nullModels) {
    requireFit(model, name, { what: "the key", shape, classes, code: "bad-key" });
    const sha256 = modelSha256(encodeModel(model));
    const same = seen.get(sha256);
    if (same !== undefined) {
      throw new WildmarkError("usage", `${name} cannot be a null model: it is the same as ${same}`, {
        hint: "give models that were trained without the mark, each with a seed of its own, and each once",
      });
    }
    seen.set(sha256, name);
  }
}

/** Guessing is ruled out at this level. */
const GUESSING = 1e-3;

/**
 * Refuses null models that do not know the task: an untrained model matches no key, and whoever tried secrets on models
 * that do know it could hide behind such.
 *
 * @param images of the task, with their classes.
 * @param suspect a model's file to compare with, where there is one.
 * @throws WildmarkError `usage` for a model that may be guessing, or is not half as far above guessing as the best of
 *   all.
 */
export async function requireTask(
  nullModels: readonly NullModel[],
  images: LabelledImages,
  suspect: Model | undefined,
  runtime: RuntimeOptions = {},
): Promise<void> {
  const rightOf = async (model: Model): Promise<number> =>
    (await answers(model, images, runtime)).reduce((sum, answer, i) => sum + (answer === images.labels[i] ? 1 : 0), 0);
  const right: number[] = [];
  for (const { model } of nullModels) right.push(await rightOf(model));
  const guessed = images.count / images.classes;
  const best = Math.max(...right, ...(suspect === undefined ? [] : [await rightOf(suspect)])) - guessed;
  const stray = right.findIndex(
    (count) => count - guessed < best / 2 || binomialTail(count, images.count, 1 / images.classes) > GUESSING,
  );
  if (stray < 0) return;
  const { name } = nullModels[stray] ?? { name: "" };
  throw new WildmarkError(
    "usage",
    `${name} cannot be a null model: it answers ${right[stray]} of ${images.count} images of the data ` +
      `rightly, others up to ${Math.round(best + guessed)}.`,
    { hint: "Give models that were trained for the suspect's task: what others match says nothing of it." },
  );
}
