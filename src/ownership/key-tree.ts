/**
 * @file A drawn key as a Merkle tree, so that one commitment covers all of it and single triggers can be opened while
 * the rest stays secret. Leaf 0 is the whole key file; leaf i + 1 is trigger i:
 *
 *     SHA-256(0x00 ‖ "key" ‖ nonce ‖ bytes of the file)
 *     SHA-256(0x00 ‖ "trigger" ‖ nonce ‖ i ‖ triggers ‖ classes ‖ label ‖ C ‖ H ‖ W ‖ image)
 *
 * Numbers are 32-bit, big-endian; nonces are 32 bytes from the key's secret, and hide an image even from someone who
 * could guess it. Every part before the last has a fixed length, and the two kinds of leaves begin with different
 * bytes.
 */

import { imageSize, type ImageShape } from "../data/dataset.js";
import { nonceOf } from "./binding.js";
import type { Key } from "./key.js";
import { isDrawn, keyBinding } from "./key-binding.js";
import { leafHash, merklePath, merkleRoot } from "./merkle.js";

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** All that a trigger's leaf says. */
export interface TriggerLeaf {
  readonly index: number;
  /** How many triggers the key has. */
  readonly triggers: number;
  readonly classes: number;
  readonly label: number;
  readonly shape: ImageShape;
  /** 32 bytes */
  readonly nonce: Uint8Array;
  readonly image: Uint8Array;
}

export function triggerLeafHash({ index, triggers, classes, label, shape, nonce, image }: TriggerLeaf): Uint8Array {
  const numbers = new DataView(new ArrayBuffer(28));
  for (const [i, value] of [index, triggers, classes, label, shape.channels, shape.height, shape.width].entries()) {
    numbers.setUint32(4 * i, value);
  }
  return leafHash(text("trigger"), nonce, new Uint8Array(numbers.buffer), image);
}

export interface KeyTree {
  readonly root: Uint8Array;
  readonly leaf: (index: number) => TriggerLeaf;
  /** From trigger `index` to the root. */
  readonly path: (index: number) => readonly Uint8Array[];
}

/**
 * The tree of a drawn key; undefined for one that was not drawn, which has no secret to draw nonces from.
 *
 * @param keyBytes the key's file.
 */
export function keyTree(key: Key, keyBytes: Uint8Array): KeyTree | undefined {
  if (!isDrawn(key)) return undefined;
  const { triggers, classes, shape } = key;
  const { binding, content } = keyBinding(key);
  const size = imageSize(shape);
  const leaf = (index: number): TriggerLeaf => ({
    index,
    triggers: triggers.count,
    classes,
    label: triggers.labels[index] ?? 0,
    shape,
    nonce: nonceOf(binding, content, "trigger", index),
    image: triggers.images.subarray(index * size, (index + 1) * size),
  });
  const leaves = [
    leafHash(text("key"), nonceOf(binding, content, "key", 0), keyBytes),
    ...Array.from({ length: triggers.count }, (_, i) => triggerLeafHash(leaf(i))),
  ];
  return { root: merkleRoot(leaves), leaf, path: (index) => merklePath(leaves, index + 1) };
}
