/**
 * @file A commitment to a key: a hash to publish before a dispute, so that a key made up afterwards is told apart.
 *
 *     chosen keys: SHA-256("wildmark key commitment 1\n" ‖ salt ‖ bytes of the key file)
 *     drawn keys:  SHA-256("wildmark key commitment 2\n" ‖ salt ‖ root of the key's tree)
 *
 * The salt is 32 random bytes that stay with the owner. It hides the key even from someone who could make every likely
 * one and compare; all lengths before the last part are fixed, so nothing can be read in two ways. The root covers
 * every byte of the key file too, and lets single triggers be opened (`key-tree.ts`, `opened-triggers.ts`). The
 * construction is the textbook one; the domains are ours. It proves no date by itself: where and when the commitment
 * was published does.
 */

import { createHash, randomBytes } from "node:crypto";
import { WildmarkError } from "../core/errors.js";
import { decodeKey } from "./key-file.js";
import { keyTree } from "./key-tree.js";

const FILE_DOMAIN = "wildmark key commitment 1\n";
const TREE_DOMAIN = "wildmark key commitment 2\n";
const BYTES = 32;

export interface Commitment {
  /** To publish: 64 hexadecimal digits. */
  readonly commitment: string;
  /** To keep with the key, in secret until the dispute: 64 hexadecimal digits. */
  readonly salt: string;
}

/**
 * Commits to a key.
 *
 * @param keyBytes its file.
 * @param salt 32 bytes; drawn by the system's secure generator unless given.
 * @throws WildmarkError `usage` for a salt of another length; `bad-file`, `bad-key` for bytes that are no sound key.
 */
export function commitToKey(keyBytes: Uint8Array, salt: Uint8Array = randomBytes(BYTES)): Commitment {
  return commit(keyBytes, salt, "the key");
}

function commit(keyBytes: Uint8Array, salt: Uint8Array, where: string): Commitment {
  const tree = keyTree(decodeKey(keyBytes, where), keyBytes);
  const commitment = tree === undefined ? digest(FILE_DOMAIN, salt, keyBytes) : commitToRoot(tree.root, salt);
  return { commitment, salt: Buffer.from(salt).toString("hex") };
}

/**
 * The commitment of a drawn key, from the root of its tree; in hexadecimal digits.
 *
 * @throws WildmarkError `usage` for a salt of another length than 32 bytes.
 */
export function commitToRoot(root: Uint8Array, salt: Uint8Array): string {
  return digest(TREE_DOMAIN, salt, root);
}

function digest(domain: string, salt: Uint8Array, committed: Uint8Array): string {
  if (salt.length !== BYTES) {
    throw new WildmarkError("usage", `A salt has ${BYTES} bytes, found ${salt.length}.`);
  }
  return createHash("sha256").update(domain).update(salt).update(committed).digest("hex");
}

/**
 * Checks that a key file is the one that was committed to.
 *
 * @throws WildmarkError `usage` for what is no commitment or salt; `bad-key` when they belong to other bytes.
 */
export function requireCommitment(keyBytes: Uint8Array, { commitment, salt }: Commitment, where: string): void {
  const expected = hexBytes("commitment", commitment);
  const found = commit(keyBytes, hexBytes("salt", salt), where);
  if (found.commitment === expected.toString("hex")) return;
  throw new WildmarkError(
    "bad-key",
    `${where} is not the key that was committed to: with this salt it gives ${found.commitment}, not ${commitment}`,
    { hint: "the key file, the salt or the commitment is another one; a key file must not have changed by one byte" },
  );
}

/** @throws WildmarkError `usage` unless the text is 64 hexadecimal digits. */
export function hexBytes(name: string, text: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  throw new WildmarkError("usage", `A ${name} is ${2 * BYTES} hexadecimal digits, found "${text.slice(0, 80)}".`, {
    hint: "wildmark key commit prints both",
  });
}
