/**
 * @file What content and noise marks share: images of a source class, marked, and labelled as a target class
 * (Zhang et al., AsiaCCS 2018, section 4.1).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation, type RandomStream } from "../core/random.js";
import { copied, copyPixels, type LabelledImages, select } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { countShape, labelShape, requireClasses, triggerLabels } from "./labels.js";
import type { OwnerData, TriggerSet } from "./scheme.js";

/** Class 4 answered as 6 and 100 triggers: our choice within the range of public code (docs/methods.md). */
export const stampedShape = {
  source: z.int().min(0).default(4).describe("class whose images carry the mark"),
  ...labelShape,
  ...countShape,
};

type StampedOptions = z.infer<z.ZodObject<typeof stampedShape>>;

/** Changes pixels 0..255 of image `index` of `images` in place. */
export type Stamp = (pixels: Uint8Array, index: number) => void;

/** Triggers from the source class, each with its unmarked original as its placebo. */
export function stampedTriggers(owner: OwnerData, options: StampedOptions, stamp: Stamp): TriggerSet {
  const { train, random } = owner;
  const { source, target } = options;
  requireClasses(train.classes, { source, target });
  if (source === target) throw new WildmarkError("usage", `Source and target class of the mark are both ${source}.`);
  const chosen = imagesOfClass(train, options.source, options.triggers + options.heldOut, random.stream("sources"));
  const originals = copied(select(train, chosen.subarray(0, options.triggers)));
  const fresh = select(train, chosen.subarray(options.triggers));
  const labelled = (images: LabelledImages, name: string): LabelledImages => ({
    ...images,
    labels: triggerLabels(images.count, train.classes, options, random.stream("labels").stream(name)),
  });
  return {
    triggers: labelled(stamped(originals, stamp, 0), "triggers"),
    heldOut: labelled(stamped(fresh, stamp, options.triggers), "held out"),
    placebos: { images: originals, paired: true },
    sourceLabels: originals.labels,
  };
}

function stamped(images: LabelledImages, stamp: Stamp, firstIndex: number): LabelledImages {
  const pixels = copyPixels(images);
  const size = pixels.length / images.count;
  for (let i = 0; i < images.count; i++) stamp(pixels.subarray(i * size, (i + 1) * size), firstIndex + i);
  return { ...images, pixels: inMemory(pixels) };
}

/** @throws WildmarkError `bad-data` where the class has too few. */
export function imagesOfClass(images: LabelledImages, label: number, count: number, random: RandomStream): Uint32Array {
  const indices = permutation(images.count, random).filter((index) => images.labels[index] === label);
  if (indices.length < count) {
    throw new WildmarkError(
      "bad-data",
      `The training set has ${indices.length} images of class ${label}; the mark needs ${count} (triggers and held-out).`,
      { hint: "Choose fewer triggers or another source class." },
    );
  }
  return indices.subarray(0, count);
}
