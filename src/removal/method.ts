/**
 * @file What a removal method is: a record, run from the attacker's side only.
 *
 * The attacker has the marked model's weights and some images, and knows nothing of the key, the mark's kind or the
 * test set. This room imports neither `watermarks/` nor `ownership/` (a test enforces it), and a method never sees how
 * well it does: whoever runs it measures accuracy and retention from outside, on the model that each epoch yields.
 */

import type { z } from "zod";
import type { RandomStream } from "../core/random.js";
import type { Images, LabelledImages } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { TrainedEpoch, TrainingOptions } from "../training/epochs.js";

/** Everything the attacker has. */
export interface Attack extends TrainingOptions {
  readonly model: Model;
  /** Correctly labelled images from the training distribution: 10 % of the training set in the paper. */
  readonly subset: LabelledImages;
  /** Other images from the training distribution, without labels; there where the method `needs` them. */
  readonly unlabelled?: Images;
  readonly random: RandomStream;
}

/**
 * The model after an epoch, or after a stage that follows no objective (pruned, rounded): then without loss and rate.
 */
export interface Stage
  extends Omit<TrainedEpoch, "loss" | "learningRate">,
    Partial<Pick<TrainedEpoch, "loss" | "learningRate">> {}

/** A flat record of options, so that flags, documents and tables follow from it. */
export type MethodOptions = Readonly<Record<string, string | number | boolean>>;

/** How much of it an attacker has, as far as the length of a run depends on that. */
export interface DataSize {
  /** Labelled ones. */
  readonly images: number;
  readonly classes: number;
}

export interface RemovalMethod<Options extends MethodOptions = MethodOptions> {
  readonly id: string;
  readonly title: string;
  /** One sentence on what it does. */
  readonly summary: string;
  /** Where it is published. */
  readonly paper: string;
  /**
   * What kinds of data it needs besides the model; one that learns from no label needs only `unlabelled`. One that
   * needs none draws nothing either: it ends the same way with every seed.
   */
  readonly needs: readonly ("labelled" | "unlabelled")[];
  /** True for yardsticks that WILD is compared with and that nobody proposes as a removal. */
  readonly baseline: boolean;
  /**
   * True where nothing is learnt from the marked weights, so that any model of the same graph would end the same way:
   * what such a method reaches is what the attacker's data are worth alone, and audits measure attacks against it.
   */
  readonly ignoresModel?: boolean;
  /** Options of each form that an audit should try; one, with the defaults, where absent. */
  readonly variants?: readonly Partial<Options>[];
  /** Options with defaults and descriptions; `{}` is always valid. */
  readonly options: z.ZodObject & z.ZodType<Options>;
  /** What a figure calls a run with these options: "WILD-JS", "fine-tuning (FTAL)". */
  readonly label: (options: Options) => string;
  /**
   * Steps of training and searching that a run on so much data takes, or may take at most; default: epochs times
   * batches, none without `epochs`.
   */
  readonly steps?: (options: Options, data: DataSize) => number;
  /** Yields the model after each epoch or stage, numbered from 1; the last one is the result. */
  readonly run: (attack: Attack, options: Options) => AsyncIterable<Stage>;
}

/** A method whose options have been checked: ready to run. */
export interface ChosenMethod {
  readonly id: string;
  readonly label: string;
  readonly baseline: boolean;
  readonly ignoresModel: boolean;
  readonly needs: RemovalMethod["needs"];
  /** As run, defaults filled in. */
  readonly options: MethodOptions;
  /** Steps of training and searching that a run on so much data takes, or may take at most. */
  readonly steps: (data: DataSize) => number;
  readonly run: (attack: Attack) => AsyncIterable<Stage>;
}

/** A method as others list and choose it. */
export interface RegisteredMethod<Options extends MethodOptions = MethodOptions>
  extends Omit<RemovalMethod<Options>, "label" | "run" | "steps" | "variants"> {
  /** Options of each form worth trying; at least one. */
  readonly variants: readonly MethodOptions[];
  /** @throws WildmarkError `usage` naming each option that is wrong. */
  readonly choose: (options?: Readonly<Record<string, unknown>>) => ChosenMethod;
}

/** Of methods that train on the labelled images, epoch by epoch. */
export function stepsOfEpochs({ epochs, batch }: MethodOptions, { images }: DataSize): number {
  return typeof epochs === "number" && typeof batch === "number" ? epochs * Math.ceil(images / batch) : 0;
}
