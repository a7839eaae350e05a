/** @file Asks a suspect model a key's questions: the triggers, and the placebos that its answers are compared with. */

import { answers } from "../data/answers.js";
import { requireFit } from "../data/fit.js";
import { inMemory } from "../data/pixels.js";
import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Key, KeyImages } from "./key.js";
import { requireUnmarked } from "./unmarked.js";
import type { Verdict } from "./verdict.js";
import { type Answers, type VerifyOptions, verifyAnswers } from "./verify.js";

export interface VerifyModelOptions extends VerifyOptions {
  readonly runtime?: RuntimeOptions;
  /** Models without the mark that the suspect is ranked among, in place of the placebo control. */
  readonly unmarked?: readonly Model[];
}

/**
 * @throws WildmarkError `bad-key` when a model takes other images or answers other classes than the key's; `usage` as
 *   `requireUnmarked` and `verifyAnswers` do.
 */
export async function verifyModel(model: Model, key: Key, options: VerifyModelOptions = {}): Promise<Verdict> {
  const { shape, classes } = key;
  requireFit(model, "the model", { what: "the key", shape, classes, code: "bad-key" });
  const { unmarked } = options;
  if (unmarked !== undefined) {
    const named = unmarked.map((each, i) => ({ name: `unmarked model ${i + 1}`, model: each }));
    requireUnmarked(model, key, named);
  }
  if (unmarked === undefined) return verifyAnswers(key, await askKey(model, key, options.runtime), options);
  const triggers = await ask(model, key, key.triggers, options.runtime);
  const others: Uint16Array[] = [];
  // One after the other: each has a session of its own.
  for (const each of unmarked) others.push(await ask(each, key, key.triggers, options.runtime));
  return verifyAnswers(key, { triggers, unmarked: others }, options);
}

/** What a model answers to a key's triggers, and to its placebos where it holds some. */
export async function askKey(
  model: Model,
  key: Key,
  runtime?: RuntimeOptions,
): Promise<Pick<Answers, "triggers" | "placebos">> {
  const triggers = await ask(model, key, key.triggers, runtime);
  return key.placebos === undefined
    ? { triggers }
    : { triggers, placebos: await ask(model, key, key.placebos, runtime) };
}

function ask(
  model: Model,
  { shape }: Key,
  { images, count }: KeyImages,
  runtime: RuntimeOptions | undefined,
): Promise<Uint16Array> {
  return answers(model, { shape, count, pixels: inMemory(images) }, runtime);
}
