/** @file Which triggers of a key count: the same picture a hundred times is asked once. */

import { imageSize } from "../data/dataset.js";
import type { Key } from "./key.js";

/** Indices of the triggers that are the first of their kind, ascending. */
export function distinctTriggers({ triggers, shape }: Key): readonly number[] {
  const size = imageSize(shape);
  const seen = new Set<string>();
  return Array.from({ length: triggers.count }, (_, i) => i).filter((i) => {
    const text = Buffer.from(triggers.images.subarray(i * size, (i + 1) * size)).toString("latin1");
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}
