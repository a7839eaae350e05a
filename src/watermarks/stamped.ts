/**
 * @file What content and noise marks share: images with a stamp (Zhang et al., AsiaCCS 2018, section 4.1).
 *
 * In the published form the images are of one class and all answered as another. That is a rule which two owners can
 * share, and which says "the stamp changes the answer", not "this is mine"; so unless told otherwise images of all
 * classes are stamped, each with a label of its own. A placebo is then another image of the same class under the same
 * stamp: either could have been the trigger. Where one class is answered to all, a rule is learnt that both follow;
 * then it is the same image under *another* stamp of the kind.
 */

import { z } from "zod";
import { WildmarkError } from "../core/errors.js";
import { permutation, type RandomStream } from "../core/random.js";
import { copied, copyPixels, type LabelledImages, select } from "../data/dataset.js";
import { inMemory } from "../data/pixels.js";
import { countShape, labellingOf, labelShape, requireClasses, targetOf, triggerLabels } from "./labels.js";
import type { OwnerData, TriggerSet } from "./scheme.js";
import { twins } from "./twins.js";

export const stampedShape = {
  source: z.int().min(0).optional().describe("class whose images carry the mark (default: all classes)"),
  ...labelShape,
  ...countShape,
};

/** Images of class 4, all answered as 6: our choice within the range of public code (docs/methods.md). */
export const publishedClasses = { source: 4, target: 6 } as const;
export const publishedStamp = { ...publishedClasses, labels: "target" } as const;

type StampedOptions = z.infer<z.ZodObject<typeof stampedShape>>;

/** Changes pixels 0..255 of image `index` of `images` in place. */
export type Stamp = (pixels: Uint8Array, index: number) => void;

export interface Stamps {
  /** The key's own. */
  readonly own: Stamp;
  /** Others that the same scheme might have drawn, one for each image. */
  readonly other: Stamp;
}

/** Stamped images with their labels, and for each a placebo. */
export function stampedTriggers(owner: OwnerData, options: StampedOptions, { own, other }: Stamps): TriggerSet {
  const { train, random } = owner;
  const { source, triggers } = options;
  requireClasses(train.classes, { source, target: options.target });
  if (source !== undefined && source === options.target && options.labels === "target") {
    throw new WildmarkError("usage", `Source and target class of the mark are both ${source}.`);
  }
  const target = targetOf(options, train.classes, random, source === undefined ? [] : [source]);
  const labelled = (images: LabelledImages, name: string): LabelledImages => {
    const stream = random.stream("labels").stream(name);
    const labels = triggerLabels(images.count, train.classes, options, stream, { own: images.labels, target });
    return { ...images, labels };
  };
  const drawn = options.labels === "random" ? withTwins(owner, options) : alone(owner, options);
  const originals = copied(select(train, drawn.triggers));
  const fresh = select(train, drawn.heldOut);
  return {
    triggers: labelled(stamped(originals, own, 0), "triggers"),
    heldOut: labelled(stamped(fresh, own, triggers), "held out"),
    labelling: labellingOf(options, train.classes, true),
    placebos:
      drawn.twins === undefined
        ? { images: isPublishedForm(options) ? originals : stamped(originals, other, 0), paired: true }
        : { images: stamped(copied(select(train, drawn.twins)), own, 0), paired: true, exchangeable: true },
    sourceLabels: originals.labels,
  };
}

/** Indices of the images that are stamped. */
interface Drawn {
  readonly triggers: Uint32Array;
  readonly heldOut: Uint32Array;
  /** For each trigger another image of its class. */
  readonly twins?: Uint32Array;
}

function alone({ train, random }: OwnerData, { source, triggers, heldOut }: StampedOptions): Drawn {
  const draw = random.stream("sources");
  const count = triggers + heldOut;
  const chosen =
    source === undefined ? imagesOfAnyClass(train, count, draw) : imagesOfClass(train, source, count, draw);
  return { triggers: chosen.subarray(0, triggers), heldOut: chosen.subarray(triggers) };
}

/** @throws WildmarkError `bad-data` where there are too few images, or of too few classes twice. */
function withTwins({ train, random }: OwnerData, { source, triggers, heldOut }: StampedOptions): Drawn {
  const draw = random.stream("sources");
  const needed = 2 * triggers + heldOut;
  if (source === undefined) imagesOfAnyClass(train, needed, draw);
  else imagesOfClass(train, source, needed, draw);
  const order = [...permutation(train.count, draw)].filter((i) => source === undefined || train.labels[i] === source);
  const { firsts, seconds, rest } = twins(order, (i) => train.labels[i] ?? 0, triggers);
  if (firsts.length < triggers) {
    throw new WildmarkError(
      "bad-data",
      `The training set gives ${firsts.length} pairs of images of one class; the mark needs ${triggers}.`,
      { hint: "Choose fewer triggers: beside each one stands another image of its class." },
    );
  }
  return {
    triggers: Uint32Array.from(firsts),
    twins: Uint32Array.from(seconds),
    heldOut: Uint32Array.from(rest.slice(0, heldOut)),
  };
}

/**
 * One class answered as another, both chosen: the form of the paper, whose placebos are the images without the stamp.
 */
function isPublishedForm({ source, target, labels }: StampedOptions): boolean {
  return labels === "target" && source !== undefined && target !== undefined;
}

function stamped(images: LabelledImages, stamp: Stamp, firstIndex: number): LabelledImages {
  const pixels = copyPixels(images);
  const size = pixels.length / images.count;
  for (let i = 0; i < images.count; i++) stamp(pixels.subarray(i * size, (i + 1) * size), firstIndex + i);
  return { ...images, pixels: inMemory(pixels) };
}

/** @throws WildmarkError `bad-data` where there are too few. */
export function imagesOfAnyClass(images: LabelledImages, count: number, random: RandomStream): Uint32Array {
  if (images.count < count) {
    throw new WildmarkError(
      "bad-data",
      `The training set has ${images.count} images; the mark needs ${count} (triggers and held-out).`,
      { hint: "Choose fewer triggers." },
    );
  }
  return permutation(images.count, random).subarray(0, count);
}

/** @throws WildmarkError `bad-data` where the class has too few. */
export function imagesOfClass(images: LabelledImages, label: number, count: number, random: RandomStream): Uint32Array {
  const indices = permutation(images.count, random).filter((index) => images.labels[index] === label);
  if (indices.length < count) {
    throw new WildmarkError(
      "bad-data",
      `The training set has ${indices.length} images of class ${label}; the mark needs ${count} (triggers ` +
        `and held-out).`,
      { hint: "Choose fewer triggers or another source class." },
    );
  }
  return indices.subarray(0, count);
}
