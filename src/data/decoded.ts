/** @file What a decoder of labelled images yields: pixels and labels in memory, before they become a data set. */

import type { ImageShape } from "../core/image.js";

/** Labelled images as a file held them. */
export interface DecodedImages {
  readonly shape: ImageShape;
  readonly count: number;
  /** `count · channels · height · width` bytes, NCHW. */
  readonly images: Uint8Array;
  /** `count` labels. */
  readonly labels: Uint16Array;
}

/** What one file of arrays holds: a training split and perhaps a test split, of the same shape. */
export interface DecodedSplits {
  /** Labels of both splits lie in 0 … classes − 1. */
  readonly classes: number;
  readonly train: DecodedImages;
  readonly test: DecodedImages | undefined;
  /** What was found or decided, for the user. */
  readonly notes?: readonly string[];
}
