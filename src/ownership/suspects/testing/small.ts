/** @file A small model that really answers, and images with a key's shape, for tests of the ways to ask. */

import { answers } from "../../../data/answers.js";
import { copyPixels, type Images, select } from "../../../data/dataset.js";
import { renderDigits } from "../../../data/digits.js";
import { findArchitecture, newModel } from "../../../models/registry.js";
import type { Model } from "../../../onnx/model.js";
import type { AskableKey } from "../key-queries.js";

/** A LeNet with the weights that it is drawn with: it answers several classes, and always the same. */
export function smallModel(): Model {
  return newModel(findArchitecture("lenet5"), { channels: 1, height: 28, width: 28, classes: 10 }, 3);
}

/** Digits of the test split, different from each other. */
export function digits(count: number, seed = 5): Images {
  return renderDigits("test", count, seed);
}

/** A key of digits: triggers, as many placebos, two held-out triggers. */
export function smallKey(triggers: number): AskableKey {
  const all = renderDigits("test", 2 * triggers + 2, 5);
  const part = (from: number, count: number) => {
    const indices = Array.from({ length: count }, (_, i) => from + i);
    return { images: copyPixels(select(all, indices)), count, labels: new Uint16Array(count), paired: true };
  };
  const { shape, classes } = all;
  return {
    shape,
    classes,
    triggers: part(0, triggers),
    placebos: part(triggers, triggers),
    heldOut: part(2 * triggers, 2),
  };
}

/** What the small model itself says: what every way to ask it must say too. */
export async function ownAnswers(model: Model, images: Images): Promise<number[]> {
  return [...(await answers(model, images))];
}
