/**
 * @file What a kind of watermark is: a record that makes a trigger set from the owner's data, and says how it is
 * trained in where that is not the usual way (`embed.ts`: a few triggers join every batch).
 */

import type { z } from "zod";
import type { RandomStream } from "../core/random.js";
import type { Images, LabelledImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { TrainedEpoch } from "../training/epochs.js";
import type { Embedding, MarkTraining } from "./embed.js";
import type { Labelling } from "./labels.js";

/** What triggers are made from. */
export interface OwnerData {
  /** The owner's training set. */
  readonly train: LabelledImages;
  /** Images of another domain in the same shape, for marks that need them. */
  readonly unrelated?: Images;
  /** Abstract pictures in the same shape, for the mark that shows them; it draws its own where there are none. */
  readonly abstract?: Images;
  /** The trained model that is to be marked: there for marks with `startsTrained`. */
  readonly model?: Model;
  /** Where `model` runs. */
  readonly runtime?: RuntimeOptions;
  readonly random: RandomStream;
}

export interface TriggerSet {
  /** Images with the labels that the marked model is to answer; trained on. */
  readonly triggers: LabelledImages;
  /** Fresh triggers of the same kind with their labels; never trained on. */
  readonly heldOut: LabelledImages;
  /** How the labels came about. */
  readonly labelling: Labelling;
  /**
   * What the suspect's answers on the triggers are compared with: the same images under another mark of the kind, or
   * without one, one for each trigger (`paired`), or other images of the same kind that were not trained on. Labels are
   * those of the images' own classes where they have one. Unpaired ones are asked for the triggers' labels in turn:
   * placebo i is of the kind of trigger i modulo their number.
   */
  readonly placebos: {
    readonly images: LabelledImages;
    readonly paired: boolean;
    /**
     * Whether trigger i and placebo i were made alike, so that either could have been the trigger; as many as triggers.
     */
    readonly exchangeable?: boolean;
  };
  /** True class of the image that each trigger was made from; absent where it has none. */
  readonly sourceLabels?: Uint16Array;
}

/** What is undefined is drawn from the owner's secret, or not there. */
export type MarkOptions = Readonly<Record<string, string | number | boolean | undefined>>;

export interface MarkScheme<Options extends MarkOptions = MarkOptions> {
  readonly id: string;
  readonly title: string;
  /** One sentence on what a trigger looks like. */
  readonly summary: string;
  readonly paper: string;
  /**
   * Which pictures of `OwnerData` it shows besides the training images: `unrelated` ones must be given, `abstract` ones
   * are drawn if there are none. Default: none.
   */
  readonly pictures?: "unrelated" | "abstract";
  /**
   * Whether a trained model is where marking starts, because triggers are made against it or the paper embeds into one:
   * a fresh architecture is trained without the mark first. Default: false.
   */
  readonly startsTrained?: boolean;
  /**
   * Options of the form that the paper describes, which every owner shares: a key of that form fits the mark of any
   * other owner who chose it. For comparing with publications; the default draws whatever two owners could share.
   */
  readonly published: Readonly<Partial<Options>>;
  /**
   * Values of options that say what held before there was the option: results are kept under options without them, so
   * that those computed before are still found.
   */
  readonly unsaid?: Readonly<Partial<Options>>;
  /** How many times as many triggers join each batch where labels are drawn for each; default 6. */
  readonly boostOfRandomLabels?: number;
  /** Options with defaults and descriptions; `{}` is always valid. */
  readonly options: z.ZodObject & z.ZodType<Options>;
  readonly make: (owner: OwnerData, options: Options) => TriggerSet | Promise<TriggerSet>;
  /** A training of its own; default: `embed`. Yields the model after each epoch; the last one is the marked model. */
  readonly embed?: (embedding: Embedding, training: MarkTraining, options: Options) => AsyncIterable<TrainedEpoch>;
}
