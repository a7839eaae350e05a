/**
 * @file Whoever can be asked what an image shows: a model's file, a table of answers, an endpoint. The tests of
 * ownership see answers and nothing else, so that each kind of suspect gets the same verdict for the same answers.
 */

import { answers } from "../data/answers.js";
import type { Images } from "../data/dataset.js";
import type { Model } from "../onnx/model.js";
import type { RuntimeOptions } from "../runtime/session.js";

/**
 * The suspect was asked and did not answer: refused, timed out, or left a row empty. It counts as a wrong answer,
 * because a thief may refuse what looks like a trigger.
 */
export const REFUSED = -1;

/**
 * The image was never put to the suspect, for a reason that its answers have no part in (a budget of queries fixed
 * before): it does not count at all.
 */
export const NOT_ASKED = -2;

/** For each image a class index, which may lie beyond the key's classes, or `REFUSED`, or `NOT_ASKED`. */
export type SuspectAnswers = ArrayLike<number>;

export interface Suspect {
  readonly kind: "model" | "answers" | "endpoint";
  /** What messages and documents call it: a path, an address. */
  readonly name: string;
  /**
   * What the suspect says to images, in their order. May be called several times, with parts of what is to be asked.
   *
   * @throws WildmarkError `bad-model`, `bad-file`, `network`, `interrupted`: where it cannot be asked at all.
   */
  readonly ask: (images: Images) => Promise<SuspectAnswers>;
}

/** A model in hand, which answers everything. */
export function modelSuspect(model: Model, name: string, runtime?: RuntimeOptions): Suspect {
  return { kind: "model", name, ask: (images) => answers(model, images, runtime) };
}
