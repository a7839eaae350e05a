/** @file What a file is known by as it lies there. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

export interface Fingerprint {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Of the file as it lies there; keys and results know a model by what was read from it, which may be wider or whole.
 */
export async function fingerprint(path: string): Promise<Fingerprint> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
