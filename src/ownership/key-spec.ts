/**
 * @file What a drawn key says of itself, as one text that its labels are bound to: the declared generator and what it
 * is fed with. Equal claims give equal texts.
 */

import type { ImageShape } from "../data/dataset.js";
import type { KeyBase, KeyOption } from "./key.js";

/** Names the generator: another way to draw gets another name, so that old keys are still made again in theirs. */
const GENERATOR = "wildmark 1";

export interface KeySpec {
  readonly scheme: string;
  readonly options: Readonly<Record<string, KeyOption>>;
  readonly classes: number;
  /** Bound too: who could name the classes after the labels were drawn would give each label the suspect's word. */
  readonly classNames: readonly string[] | undefined;
  readonly shape: ImageShape;
  readonly base: KeyBase;
}

export function specText({ scheme, options, classes, classNames, shape, base }: KeySpec): string {
  const { channels, height, width } = shape;
  const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    generator: GENERATOR,
    scheme,
    options: Object.fromEntries(sorted),
    classes,
    names: classNames ?? null,
    shape: [channels, height, width],
    base: [base.sha256, base.count, base.picturesSha256 ?? null, base.modelSha256 ?? null],
  });
}
