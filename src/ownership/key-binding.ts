/** @file What binds the labels of a key in hand: its binding, and the hash of what it is bound to. */

import { type Binding, contentHash, identityOf, type PairedImages } from "./binding.js";
import type { Key, KeyDraw } from "./key.js";
import { specText } from "./key-spec.js";

export interface KeyBinding {
  readonly binding: Binding;
  readonly images: PairedImages;
  readonly content: Buffer;
}

export function keyBinding(key: Key & { readonly drawn: KeyDraw }): KeyBinding {
  const { drawn, scheme, options, shape, classes, classNames, triggers, placebos, sourceLabels } = key;
  const { secret, labelling, exchangeable, base } = drawn;
  const spec = specText({ scheme, options, classes, classNames, shape, base });
  const binding: Binding = { secret, spec, shape, classes, labelling, exchangeable };
  const paired = placebos !== undefined && placebos.count === triggers.count;
  const images: PairedImages = {
    triggers: triggers.images,
    placebos: paired ? placebos.images : undefined,
    own: sourceLabels,
    labels: triggers.labels,
  };
  return { binding, images, content: contentHash(binding, images) };
}

/**
 * The same for keys with the same secret, images and labels, whatever else they say of themselves: two looks at one key
 * are not two proofs. Nothing of the secret can be had from it.
 */
export function keyIdentity(key: Key & { readonly drawn: KeyDraw }): string {
  const { binding, content } = keyBinding(key);
  return identityOf(binding, content);
}

/** Whether a key was drawn from a secret. */
export function isDrawn(key: Key): key is Key & { readonly drawn: KeyDraw } {
  return key.drawn !== undefined;
}
