/**
 * @file A Merkle tree over leaves of any number: its root commits to all of them, and a path shows that one leaf is
 * among them without showing another.
 *
 * The tree is that of RFC 6962 (section 2.1), with SHA-256: n leaves are split at the largest power of two below n, so
 * that odd numbers need no leaf twice (Bitcoin's way, under which two lists of leaves have one root). What is hashed
 * begins with a byte that says what it is, so that no node can pass for a leaf.
 */

import { createHash } from "node:crypto";

const [LEAF, NODE] = [Uint8Array.of(0), Uint8Array.of(1)];

/** SHA-256(0x00 ‖ parts): whoever calls sees to it that parts can be told apart. */
export function leafHash(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256").update(LEAF);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** @param leaves hashes of at least one leaf, in order. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) throw new RangeError("a tree needs at least one leaf");
  if (leaves.length === 1) return only;
  const split = splitOf(leaves.length);
  return nodeHash(merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split)));
}

/** The siblings on the way from leaf `index` to the root, lowest first. */
export function merklePath(leaves: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  if (!(index >= 0 && index < leaves.length)) throw new RangeError(`there is no leaf ${index} of ${leaves.length}`);
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...merklePath(left, index), merkleRoot(right)]
    : [...merklePath(right, index - split), merkleRoot(left)];
}

/**
 * The root that a leaf and its path lead to; undefined where the path has another length than the place in the tree
 * demands.
 *
 * @param size number of leaves; place and size are part of what is shown, so take them from the leaf itself.
 */
export function rootOfPath(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!(index >= 0 && index < size)) return undefined;
  if (size === 1) return path.length === 0 ? leaf : undefined;
  const sibling = path.at(-1);
  const split = splitOf(size);
  const below = path.slice(0, -1);
  const own =
    index < split ? rootOfPath(leaf, index, split, below) : rootOfPath(leaf, index - split, size - split, below);
  if (own === undefined || sibling === undefined) return undefined;
  return index < split ? nodeHash(own, sibling) : nodeHash(sibling, own);
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash("sha256").update(NODE).update(left).update(right).digest();
}

/** The largest power of two below n ≥ 2. */
function splitOf(n: number): number {
  let split = 1;
  while (split * 2 < n) split *= 2;
  return split;
}
