/**
 * @file Draws a trigger set from a secret and base data: the one way from 32 bytes to a key, for the owner who marks a
 * model, for the judge who makes the key again, and for the strangers' keys that a claim is compared with.
 */

import { createHash, randomBytes } from "node:crypto";
import { secretSeed, secretStream } from "../core/random.js";
import { copyPixels, hashImages, hashPixels, type Images, type LabelledImages } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { ChosenMark } from "../watermarks/registry.js";
import type { TriggerSet } from "../watermarks/scheme.js";
import { type Binding, boundLabels, contentHash, heldOutLabels, SECRET_BYTES, secretOfSeed, toss } from "./binding.js";
import type { KeyBase } from "./key.js";
import { specText } from "./key-spec.js";
import { defined } from "../core/defined.js";

/** What triggers are drawn from, beside the secret. */
export interface BaseData {
  readonly train: LabelledImages;
  readonly unrelated?: Images;
  readonly abstract?: Images;
  /** What the classes are called, where the key is to say it. */
  readonly classNames?: readonly string[];
  /** The trained model that triggers are made against, for marks with `startsTrained`. */
  readonly model?: Model;
  readonly runtime?: RuntimeOptions;
}

export interface DrawnSet {
  readonly set: TriggerSet;
  readonly binding: Binding;
  readonly base: KeyBase;
  readonly classNames?: readonly string[];
}

export function newSecret(): Uint8Array {
  return new Uint8Array(randomBytes(SECRET_BYTES));
}

/** Seed of the training and secret of the key: both from the seed that was asked for, or drawn in secret. */
export function keySeeds(asked: number | undefined): { readonly seed: number; readonly secret: Uint8Array } {
  return asked === undefined
    ? { seed: secretSeed(), secret: newSecret() }
    : { seed: asked, secret: secretOfSeed(asked) };
}

/** @throws WildmarkError as the mark's `make` does. */
export async function drawTriggers(mark: ChosenMark, data: BaseData, secret: Uint8Array): Promise<DrawnSet> {
  const { train, unrelated, abstract, model, runtime, classNames } = data;
  const base = baseOf(mark, data);
  const { classes, shape } = train;
  const spec = specText({ scheme: mark.id, options: mark.options, classes, classNames, shape, base });
  const made = await mark.make({
    train,
    ...defined({ unrelated, abstract, model, runtime }),
    random: secretStream(secret, "mark", spec),
  });
  const exchangeable = made.placebos.exchangeable === true;
  const binding = { secret, spec, shape, classes, labelling: made.labelling, exchangeable };
  return { set: bound(made, binding), binding, base, ...defined({ classNames }) };
}

/** What a mark's triggers are made from, by hash. */
export function baseOf({ pictures: shown, startsTrained }: ChosenMark, data: BaseData): KeyBase {
  const { train, unrelated, abstract, model } = data;
  const pictures = shown === "unrelated" ? unrelated : shown === "abstract" ? abstract : undefined;
  return {
    sha256: hashImages([train]),
    count: train.count,
    ...(pictures === undefined ? {} : { picturesSha256: picturesSha256(pictures) }),
    ...(model === undefined || !startsTrained ? {} : { modelSha256: modelSha256(encodeModel(model)) }),
  };
}

function picturesSha256(images: Images): string {
  const hash = createHash("sha256");
  hashPixels(images, hash);
  return hash.digest("hex");
}

/** The set with labels and coins from the secret. */
function bound(set: TriggerSet, binding: Binding): TriggerSet {
  const { triggers, heldOut, placebos, sourceLabels } = set;
  const images = {
    triggers: copyPixels(triggers),
    placebos: copyPixels(placebos.images),
    own: sourceLabels,
    labels: triggers.labels,
  };
  const paired = placebos.images.count === triggers.count;
  const content = contentHash(binding, paired ? images : { ...images, placebos: undefined });
  if (binding.exchangeable) toss(images, binding, content);
  const labels = boundLabels(binding, content, triggers.count, sourceLabels) ?? triggers.labels;
  return {
    ...set,
    triggers: { ...triggers, pixels: inMemory(images.triggers), labels },
    heldOut: { ...heldOut, labels: heldOutLabels(heldOut, binding) ?? heldOut.labels },
    placebos: {
      ...placebos,
      images: { ...placebos.images, pixels: inMemory(images.placebos) },
      paired: placebos.paired || binding.exchangeable,
    },
  };
}
