/** @file Which models may be null models, trained without the mark: each fits the key, and counts once. */

import { WildmarkError } from "../core/errors.js";
import { requireFit } from "../data/fit.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
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
