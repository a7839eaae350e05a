/** @file Which images of a set without test images are kept back for testing. */

import { WildmarkError } from "../core/errors.js";
import { permutation, randomStream } from "../core/random.js";

/** Share of each class that becomes the test set where there is none. */
const TEST_SHARE = 1 / 6;

/**
 * Positions of the test images: about one in six of each class, at least one, and never all. A class without images is
 * passed over.
 *
 * @param nameOf names a class in messages.
 * @throws WildmarkError `bad-data` for a class with a single image.
 */
export function heldBack(
  labels: ArrayLike<number>,
  classes: number,
  seed: number,
  nameOf: (label: number) => string,
): Set<number> {
  const members = Array.from({ length: classes }, (): number[] => []);
  for (let i = 0; i < labels.length; i++) members[labels[i] ?? 0]?.push(i);
  const held = new Set<number>();
  members.forEach((positions, label) => {
    if (positions.length === 0) return;
    if (positions.length === 1) {
      throw new WildmarkError(
        "bad-data",
        `class ${nameOf(label)} has a single image, which cannot be split into train and test`,
        { hint: "add images to it, or leave it out" },
      );
    }
    const order = permutation(positions.length, randomStream(seed, "test split", label));
    const count = Math.max(1, Math.round(positions.length * TEST_SHARE));
    for (const at of order.subarray(0, count)) held.add(positions[at] ?? 0);
  });
  return held;
}
