/** @file Asks a suspect model a key's questions: the triggers, and the placebos that its answers are compared with. */

import { WildmarkError } from "../core/errors.js";
import { answers } from "../data/answers.js";
import { takesImages } from "../data/input.js";
import { inMemory } from "../data/pixels.js";
import { describeDims, findClassifier } from "../onnx/classifier.js";
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
  checkFits(model, key);
  const ask = ({ images, count }: KeyImages): Promise<Uint16Array> =>
    answers(model, { shape: key.shape, count, pixels: inMemory(images) }, options.runtime);
  return verifyAnswers(
    key,
    {
      triggers: await ask(key.triggers),
      ...(key.placebos === undefined ? {} : { placebos: await ask(key.placebos) }),
    },
    options,
  );
}

/** Whether a key's questions can be put to a model: images that fit its input, same number of classes. */
function checkFits(model: Model, key: Key): void {
  const { input, classes } = findClassifier(model.graph);
  const { channels, height, width } = key.shape;
  if (!takesImages(input, key.shape)) {
    const expected = `${channels}×${height}×${width}`;
    throw new WildmarkError(
      "bad-key",
      `The key holds images of ${expected}; the model takes ${describeDims(input.dims)}.`,
      { hint: "The key was made for another kind of model." },
    );
  }
  if (classes !== undefined && classes !== key.classes) {
    throw new WildmarkError("bad-key", `The key is for ${key.classes} classes; the model answers ${classes}.`, {
      hint: "The key was made for another kind of model.",
    });
  }
}
