/**
 * @file A commitment to a key: a hash to publish before a dispute, so that a key made up afterwards is told apart.
 *
 * commitment = SHA-256(domain ‖ salt ‖ bytes of the key file), the domain being the ASCII text below and the salt 32
 * random bytes that stay with the owner. The salt hides the key even from someone who could make every likely one and
 * compare (the triggers follow from a seed and the data); both lengths before the key are fixed, so nothing can be read
 * in two ways. The construction is the textbook one; the domain is ours. It proves no date by itself: where and when the
 * commitment was published does.
 */

import { createHash, randomBytes } from "node:crypto";
import { WildmarkError } from "../core/errors.js";

const DOMAIN = "wildmark key commitment 1\n";
const BYTES = 32;

export interface Commitment {
  /** To publish: 64 hexadecimal digits. */
  readonly commitment: string;
  /** To keep with the key, in secret until the dispute: 64 hexadecimal digits. */
  readonly salt: string;
}

/**
 * Commits to the bytes of a key file.
 *
 * @param salt 32 bytes; drawn by the system's secure generator unless given.
 * @throws WildmarkError `usage` for a salt of another length.
 */
export function commitToKey(keyBytes: Uint8Array, salt: Uint8Array = randomBytes(BYTES)): Commitment {
  if (salt.length !== BYTES) {
    throw new WildmarkError("usage", `A salt has ${BYTES} bytes, found ${salt.length}.`);
  }
  const commitment = createHash("sha256").update(DOMAIN).update(salt).update(keyBytes).digest("hex");
  return { commitment, salt: Buffer.from(salt).toString("hex") };
}

/**
 * Checks that a key file is the one that was committed to.
 *
 * @throws WildmarkError `usage` for what is no commitment or salt; `bad-key` when they belong to other bytes.
 */
export function requireCommitment(keyBytes: Uint8Array, { commitment, salt }: Commitment, where: string): void {
  const expected = hexBytes("commitment", commitment);
  const found = commitToKey(keyBytes, hexBytes("salt", salt));
  if (found.commitment === expected.toString("hex")) return;
  throw new WildmarkError(
    "bad-key",
    `${where} is not the key that was committed to: with this salt it gives ${found.commitment}, not ${commitment}`,
    { hint: "the key file, the salt or the commitment is another one; a key file must not have changed by one byte" },
  );
}

function hexBytes(name: string, text: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, "hex");
  throw new WildmarkError("usage", `A ${name} is ${2 * BYTES} hexadecimal digits, found "${text}".`, {
    hint: "wildmark key commit prints both",
  });
}
