/** @file The key of a freshly marked model, from the trigger set that was embedded. */

import { WILDMARK_VERSION } from "../core/version.js";
import { imageSize } from "../data/dataset.js";
import type { ChosenMark } from "../watermarks/registry.js";
import type { TriggerSet } from "../watermarks/scheme.js";
import type { Key } from "./key.js";

export interface KeyOrigin {
  readonly mark: ChosenMark;
  readonly set: TriggerSet;
  readonly seed: number;
  /** Hex SHA-256 of the marked model's file. */
  readonly modelSha256: string;
}

export function makeKey({ mark, set, seed, modelSha256 }: KeyOrigin): Key {
  const { triggers, heldOut, placebos } = set;
  const paired = placebos.paired && placebos.images.images.length === triggers.count * imageSize(triggers.shape);
  return {
    scheme: mark.id,
    seed,
    classes: triggers.classes,
    shape: triggers.shape,
    triggers,
    heldOut,
    placebos: { images: placebos.images.images, count: placebos.images.count, paired },
    sourceLabels: paired ? placebos.images.labels : undefined,
    options: mark.options,
    modelSha256,
    createdBy: `wildmark ${WILDMARK_VERSION}`,
  };
}
