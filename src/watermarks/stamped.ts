/**
 * @file What content and noise marks share: images of a source class, marked, and labelled as a target class
 * (Zhang et al., AsiaCCS 2018, section 4.1).
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation, type RandomStream } from "../core/random.js";
import { copied, copyPixels, type LabelledImages, relabel, select } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import type { OwnerData, TriggerSet } from "./scheme.js";

/** Class 4 answered as 6 and 100 triggers: our choice within the range of public code (docs/methods.md). */
export const stampedShape = {
  source: z.int().min(0).default(4).describe("class whose images carry the mark"),
  target: z.int().min(0).default(6).describe("class that the marked model answers"),
  triggers: z.int().min(1).max(100_000).default(100).describe("triggers that are trained on"),
  heldOut: z.int().min(1).max(100_000).default(100).describe("triggers kept back to see whether the mark generalises"),
};

type StampedOptions = z.infer<z.ZodObject<typeof stampedShape>>;

/** Changes pixels 0..255 of image `index` of `images` in place. */
export type Stamp = (pixels: Uint8Array, index: number) => void;

/** Triggers from the source class, each with its unmarked original as its placebo. */
export function stampedTriggers(owner: OwnerData, options: StampedOptions, stamp: Stamp): TriggerSet {
  const { train, random } = owner;
  checkClasses(train, options);
  const chosen = imagesOfClass(train, options.source, options.triggers + options.heldOut, random.stream("sources"));
  const originals = copied(select(train, chosen.subarray(0, options.triggers)));
  const fresh = select(train, chosen.subarray(options.triggers));
  return {
    triggers: relabel(stamped(originals, stamp, 0), options.target),
    heldOut: relabel(stamped(fresh, stamp, options.triggers), options.target),
    placebos: { images: originals, paired: true },
  };
}

function stamped(images: LabelledImages, stamp: Stamp, firstIndex: number): LabelledImages {
  const pixels = copyPixels(images);
  const size = pixels.length / images.count;
  for (let i = 0; i < images.count; i++) stamp(pixels.subarray(i * size, (i + 1) * size), firstIndex + i);
  return { ...images, pixels: inMemory(pixels) };
}

function imagesOfClass(images: LabelledImages, label: number, count: number, random: RandomStream): Uint32Array {
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

function checkClasses(images: LabelledImages, { source, target }: StampedOptions): void {
  for (const [name, label] of Object.entries({ source, target })) {
    if (label >= images.classes) {
      throw new WildmarkError(
        "usage",
        `The mark's ${name} class is ${label}; the data has classes 0 to ${images.classes - 1}.`,
      );
    }
  }
  if (source === target) throw new WildmarkError("usage", `Source and target class of the mark are both ${source}.`);
}
