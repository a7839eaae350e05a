/** @file A key's images as labelled images, the form in which models are asked. */

import type { LabelledImages } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import type { Key, KeyTriggers } from "./key.js";

/** The triggers that the marked model was trained on, with the key's labels. */
export function triggersOf(key: Key): LabelledImages {
  return labelled(key, key.triggers);
}

/** The triggers that were kept back; undefined where the key holds none. */
export function heldOutTriggersOf(key: Key): LabelledImages | undefined {
  return key.heldOut === undefined ? undefined : labelled(key, key.heldOut);
}

function labelled({ shape, classes }: Key, { images, labels, count }: KeyTriggers): LabelledImages {
  return { shape, classes, count, pixels: inMemory(images), labels };
}
