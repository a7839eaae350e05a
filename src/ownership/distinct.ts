/** @file Which triggers of a key count: the same picture a hundred times is asked once, and so is one that hardly differs. */

import { firstOfDuplicates } from "../core/near-duplicates.js";
import { imageSize } from "../data/dataset.js";
import type { Key } from "./key.js";

/** Indices of the triggers that are the first of their kind (`core/near-duplicates.ts` has the rule), ascending. */
export function distinctTriggers({ triggers, shape }: Key): readonly number[] {
  const first = firstOfDuplicates(triggers.images, triggers.count, imageSize(shape));
  return [...first.keys()].filter((i) => first[i] === i);
}
