/**
 * @file A few triggers as pictures: the trigger, the image it was made from, and an erased copy as an attacker draws
 * it.
 */

import type { RandomStream } from "../core/random.js";
import { packImages, unpackImages } from "../data/batches.js";
import { type ImageShape, imageAt, imageSize } from "../data/dataset.js";
import { alwaysErasing, eraseBatch } from "../data/erasing.js";
import { pngDataUri } from "../data/png.js";
import type { Key } from "../ownership/key.js";
import { triggersOf } from "../ownership/key-images.js";
import type { TriggerPicture } from "./records.js";
import { defined } from "../core/defined.js";

/** The first `count` triggers of a key. */
export function triggerPictures(key: Key, random: RandomStream, count = 6): TriggerPicture[] {
  const triggers = triggersOf(key);
  const { shape } = key;
  // Where each trigger has a label of its own, its placebo is another image.
  const isRule = triggers.labels.every((label) => label === triggers.labels[0]);
  const originals = key.placebos?.paired && isRule ? key.placebos : undefined;
  return Array.from({ length: Math.min(count, triggers.count) }, (_, i) => {
    const erased = new Float32Array(imageSize(shape));
    packImages(triggers, [i], erased);
    eraseBatch(erased, erased, shape, 1, alwaysErasing, random);
    const sourceLabel = key.sourceLabels?.[i];
    return {
      trigger: pngDataUri(imageAt(triggers, i), shape),
      erased: pngDataUri(unpackImages(erased), shape),
      label: triggers.labels[i] ?? 0,
      ...(originals === undefined ? {} : { original: picture(originals.images, shape, i) }),
      ...defined({ sourceLabel }),
    };
  });
}

function picture(images: Uint8Array, shape: ImageShape, i: number): string {
  const size = imageSize(shape);
  return pngDataUri(images.subarray(i * size, (i + 1) * size), shape);
}
