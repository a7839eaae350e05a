/** @file Asks a suspect model a key's questions: the triggers, and the placebos that its answers are compared with. */

import { answers } from "../data/answers.js";
import { requireFit } from "../data/fit.js";
import { inMemory } from "../data/pixels.js";
import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Key, KeyImages } from "./key.js";
import type { Verdict } from "./verdict.js";
import { type VerifyOptions, verifyAnswers } from "./verify.js";

export interface VerifyModelOptions extends VerifyOptions {
  readonly runtime?: RuntimeOptions;
}

/** @throws WildmarkError `bad-key` when the model takes other images or answers other classes than the key's. */
export async function verifyModel(model: Model, key: Key, options: VerifyModelOptions = {}): Promise<Verdict> {
  const { shape, classes } = key;
  requireFit(model, "the model", { what: "the key", shape, classes, code: "bad-key" });
  const ask = ({ images, count }: KeyImages): Promise<Uint16Array> =>
    answers(model, { shape, count, pixels: inMemory(images) }, options.runtime);
  return verifyAnswers(
    key,
    {
      triggers: await ask(key.triggers),
      ...(key.placebos === undefined ? {} : { placebos: await ask(key.placebos) }),
    },
    options,
  );
}
