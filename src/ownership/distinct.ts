/**
 * @file Which triggers of a key count: the same picture a hundred times is asked once, and so is one that hardly
 * differs.
 */

import { firstOfDuplicates } from "../core/near-duplicates.js";
import { imageSize } from "../data/dataset.js";
import { tossRows } from "./binding.js";
import type { Key } from "./key.js";

/**
 * Indices of the triggers that are the first of their kind (`core/near-duplicates.ts` has the rule), ascending.
 *
 * Where a coin decided which image of a pair is the trigger, pairs are compared, whichever that was: else one placebo,
 * given to every pair, would count once where it lost a toss, and the images that won would count every time.
 */
export function distinctTriggers({ triggers, placebos, drawn, shape }: Key): readonly number[] {
  const size = imageSize(shape);
  const { count } = triggers;
  const first =
    drawn?.exchangeable === true && placebos !== undefined
      ? firstOfDuplicates(tossRows(triggers.images, placebos.images, size), count, 2 * size)
      : firstOfDuplicates(triggers.images, count, size);
  return [...first.keys()].filter((i) => first[i] === i);
}
