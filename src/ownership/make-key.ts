/** @file The key of a freshly marked model, from the trigger set that was embedded. */

import { WILDMARK_VERSION } from "../core/version.js";
import { copyPixels, type LabelledImages } from "../data/dataset.js";
import type { ChosenMark } from "../watermarks/registry.js";
import type { TriggerSet } from "../watermarks/scheme.js";
import type { DrawnSet } from "./draw-key.js";
import type { Key, KeyTriggers } from "./key.js";

export interface KeyOrigin {
  readonly mark: ChosenMark;
  readonly set: TriggerSet;
  readonly seed: number;
  /** Hex SHA-256 of the marked model's file. */
  readonly modelSha256: string;
  /** Where the set was drawn from a secret. */
  readonly drawn?: Pick<DrawnSet, "binding" | "base" | "classNames">;
}

export function makeKey({ mark, set, seed, modelSha256, drawn }: KeyOrigin): Key {
  const { triggers, heldOut, placebos, sourceLabels } = set;
  const paired = placebos.paired && placebos.images.count === triggers.count;
  return {
    scheme: mark.id,
    seed,
    classes: triggers.classes,
    shape: triggers.shape,
    triggers: keyTriggers(triggers),
    heldOut: keyTriggers(heldOut),
    placebos: { images: copyPixels(placebos.images), count: placebos.images.count, paired },
    sourceLabels,
    ...(drawn === undefined
      ? {}
      : {
          drawn: {
            secret: drawn.binding.secret,
            labelling: drawn.binding.labelling,
            exchangeable: drawn.binding.exchangeable,
            base: drawn.base,
          },
        }),
    ...(drawn?.classNames === undefined ? {} : { classNames: drawn.classNames }),
    options: mark.options,
    modelSha256,
    createdBy: `wildmark ${WILDMARK_VERSION}`,
  };
}

function keyTriggers(set: LabelledImages): KeyTriggers {
  return { images: copyPixels(set), labels: set.labels, count: set.count };
}
