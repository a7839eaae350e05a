/** @file Asks a suspect a key's questions: the triggers, and the placebos that its answers are compared with. */

import { requireAskable } from "../data/fit.js";
import { type Images, imageSize } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { Key, KeyImages } from "./key.js";
import { requireNullModels } from "./null-models.js";
import { readSuspect } from "./suspect-readings.js";
import { modelSuspect, NOT_ASKED, type Suspect, type SuspectAnswers } from "./suspect.js";
import type { Matches } from "./tests.js";
import type { Verdict } from "./verdict.js";
import { type Answers, type VerifyOptions, verifyAnswers } from "./verify.js";

export interface VerifyModelOptions extends VerifyOptions {
  readonly runtime?: RuntimeOptions;
  /** Models without the mark. */
  readonly nullModels?: readonly Model[];
  /** Keys that anybody can make, of the same scheme and data (`strangers.ts`). */
  readonly strangers?: readonly Key[];
}

/**
 * The verdict on a model, which need only run: images are brought to its size, and classes beyond the key's are wrong
 * answers.
 *
 * @throws WildmarkError `bad-model` where it cannot be asked at all; `usage` and `bad-key` as `requireNullModels` and
 *   `verifyAnswers` do.
 */
export async function verifyModel(model: Model, key: Key, options: VerifyModelOptions = {}): Promise<Verdict> {
  const { shape, classes } = key;
  requireAskable(model, "the model", { what: "the key", shape, classes, code: "bad-key" });
  const { nullModels, runtime, madeHere = false } = options;
  if (nullModels !== undefined) {
    const named = nullModels.map((each, i) => ({ name: `null model ${i + 1}`, model: each }));
    requireNullModels(model, key, named);
  }
  // Whoever made the model knows how it is read.
  if (madeHere) return verifySuspect(modelSuspect(model, "the model", runtime), key, options);
  const read = await readSuspect(model, key, runtime);
  const suspect = modelSuspect(read.model, "the model", runtime);
  return verifySuspect(suspect, key, { ...options, readings: read.tried.length });
}

/** The same of whoever can be asked; whether it takes such images is for the suspect to say. */
export async function verifySuspect(suspect: Suspect, key: Key, options: VerifyModelOptions = {}): Promise<Verdict> {
  return verifyAnswers(key, await gatherAnswers(suspect, key, options), options);
}

/**
 * Asks suspect and null models everything that `verifySuspect` judges: for whoever wants the counts beside the verdict.
 */
export async function gatherAnswers(
  suspect: Suspect,
  key: Key,
  { nullModels, strangers, runtime }: Pick<VerifyModelOptions, "nullModels" | "strangers" | "runtime"> = {},
): Promise<Answers> {
  const own = await askSuspect(suspect, key);
  const others: SuspectAnswers[] = [];
  // One after the other: each has a session of its own.
  for (const each of nullModels ?? [])
    others.push(await modelSuspect(each, "", runtime).ask(imagesOf(key, key.triggers)));
  const matched: Matches[] = [];
  for (const stranger of strangers ?? []) {
    const found = await matchesOf(suspect, stranger);
    if (found.n > 0) matched.push(found);
  }
  return {
    ...own,
    ...(nullModels === undefined ? {} : { nullModels: others }),
    ...(matched.length === 0 ? {} : { strangers: matched }),
  };
}

/** What a suspect answers to a key's triggers, and to its placebos where it holds some; all asked together. */
export async function askSuspect(suspect: Suspect, key: Key): Promise<Pick<Answers, "triggers" | "placebos">> {
  const { triggers, placebos } = key;
  if (placebos === undefined) return { triggers: await suspect.ask(imagesOf(key, triggers)) };
  const images = new Uint8Array(triggers.images.length + placebos.images.length);
  images.set(triggers.images);
  images.set(placebos.images, triggers.images.length);
  const all = Array.from(await suspect.ask(imagesOf(key, { images, count: triggers.count + placebos.count })));
  return { triggers: all.slice(0, triggers.count), placebos: all.slice(triggers.count) };
}

/** What a model answers to a key's triggers, and to its placebos where it holds some. */
export async function askKey(
  model: Model,
  key: Key,
  runtime?: RuntimeOptions,
): Promise<{ readonly triggers: Uint16Array; readonly placebos?: Uint16Array }> {
  const { triggers, placebos } = await askSuspect(modelSuspect(model, "the model", runtime), key);
  return {
    triggers: Uint16Array.from(triggers),
    ...(placebos === undefined ? {} : { placebos: Uint16Array.from(placebos) }),
  };
}

/** How often a suspect answers a key's triggers with its labels. */
async function matchesOf(suspect: Suspect, key: Key): Promise<Matches> {
  const found = await suspect.ask(imagesOf(key, key.triggers));
  const asked = [...key.triggers.labels.keys()].filter((i) => found[i] !== NOT_ASKED);
  return { matches: asked.filter((i) => found[i] === key.triggers.labels[i]).length, n: asked.length };
}

function imagesOf({ shape }: Key, { images, count }: KeyImages): Images {
  return { shape, count, pixels: inMemory(images.subarray(0, count * imageSize(shape))) };
}
