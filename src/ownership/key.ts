/**
 * @file The owner's key: the secret triggers with their labels, and what a fair test of ownership needs beside them.
 *
 * A key is plain data here and one safetensors file on disk (`key-file.ts`).
 */

import type { ImageShape } from "../data/dataset.js";
import type { Labelling } from "../watermarks/labels.js";

/** Images without labels: NCHW, row-major, pixel values 0..255. */
export interface KeyImages {
  readonly images: Uint8Array;
  readonly count: number;
}

/** Images with the label that the marked model was taught to answer. */
export interface KeyTriggers extends KeyImages {
  readonly labels: Uint16Array;
}

/** Images that a marked and an innocent model should treat alike: the control of the test. */
export interface KeyPlacebos extends KeyImages {
  /** True when placebo i is trigger i without its mark; false when they are other images of the same kind. */
  readonly paired: boolean;
}

/** A value of one of a mark's options. */
export type KeyOption = string | number | boolean;

/** What the triggers of a drawn key were made from, by SHA-256 in hex. */
export interface KeyBase {
  /** Images and labels of the owner's training set. */
  readonly sha256: string;
  readonly count: number;
  /** Pictures of another domain, of marks that show such. */
  readonly picturesSha256?: string;
  /** The trained model that the triggers were made against, of marks that start from one. */
  readonly modelSha256?: string;
}

/** What makes a key somebody's: all of it follows from a secret, and can be made again from it. */
export interface KeyDraw {
  /** 32 random bytes. */
  readonly secret: Uint8Array;
  readonly labelling: Labelling;
  /** Whether a coin of the secret decided which of trigger and placebo is which. */
  readonly exchangeable: boolean;
  readonly base: KeyBase;
}

/** The scheme of triggers that were not made by a mark of the registry. */
export const MADE_ELSEWHERE = "made-elsewhere";

/** Stands for the marked model's hash where a key was made for no model. */
export const NO_MODEL = "0".repeat(64);

export interface Key {
  /** Registry id of the mark, "content", "noise", "unrelated", or `MADE_ELSEWHERE`. */
  readonly scheme: string;
  /** Of the training that embedded the mark; of a key that was not drawn, of its triggers too. */
  readonly seed: number;
  /** Classes of the model, 2 … 65,536. */
  readonly classes: number;
  readonly shape: ImageShape;
  readonly triggers: KeyTriggers;
  /** Triggers of the same kind that were never trained on. */
  readonly heldOut: KeyTriggers | undefined;
  readonly placebos: KeyPlacebos | undefined;
  /** True class of the image that each trigger was made from; absent where there is none (unrelated images). */
  readonly sourceLabels: Uint16Array | undefined;
  /** Absent of a key whose triggers or labels somebody chose: those made elsewhere, and all of format 1. */
  readonly drawn?: KeyDraw;
  /** What the classes are called, in the order of their labels. */
  readonly classNames?: readonly string[];
  /** The mark's options as used. */
  readonly options: Readonly<Record<string, KeyOption>>;
  /** Hex SHA-256 of the marked model file that the key was made for. */
  readonly modelSha256: string;
  /** The Wildmark version that made it: "wildmark 0.1.0". */
  readonly createdBy: string;
}
