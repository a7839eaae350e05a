/**
 * @file What a kind of watermark is: a record that makes a trigger set from the owner's data.
 *
 * How triggers are embedded is the same for all kinds so far (`embed.ts`): a few of them join every batch.
 */

import type { z } from "zod";
import type { RandomStream } from "../core/random.js";
import type { Images, LabelledImages } from "../data/dataset.js";

/** What triggers are made from. */
export interface OwnerData {
  /** The owner's training set. */
  readonly train: LabelledImages;
  /** Images of another domain in the same shape, for marks that need them. */
  readonly unrelated?: Images;
  readonly random: RandomStream;
}

export interface TriggerSet {
  /** Images with the labels that the marked model is to answer; trained on. */
  readonly triggers: LabelledImages;
  /** Fresh triggers of the same kind with their labels; never trained on. */
  readonly heldOut: LabelledImages;
  /**
   * What the suspect's answers on the triggers are compared with: the same images without the mark, one for each trigger
   * (`paired`), or other images of the same kind that were not trained on. Labels are those of the images' own classes
   * where they have one.
   */
  readonly placebos: { readonly images: LabelledImages; readonly paired: boolean };
}

export type MarkOptions = Readonly<Record<string, string | number | boolean>>;

export interface MarkScheme<Options extends MarkOptions = MarkOptions> {
  readonly id: string;
  readonly title: string;
  /** One sentence on what a trigger looks like. */
  readonly summary: string;
  readonly paper: string;
  /** Whether `OwnerData.unrelated` must be given. */
  readonly needsUnrelated: boolean;
  /** Options with defaults and descriptions; `{}` is always valid. */
  readonly options: z.ZodObject & z.ZodType<Options>;
  readonly make: (owner: OwnerData, options: Options) => TriggerSet;
}
