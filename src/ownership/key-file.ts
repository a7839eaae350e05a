/**
 * @file Keys as files: read and written whole.
 *
 * A key's file holds no time stamp: the same secret gives the same bytes, so that the hash of a key, published before a
 * dispute, commits its owner to it.
 */

import { createHash } from "node:crypto";
import { type FileChange, readFileBounded, writeFilesAtomic } from "../core/files.js";
import type { Key } from "./key.js";
import { bytesToKey, keyToBytes, requireKnownScheme } from "./key-format.js";

/** Far above any real key (10,000 colour images of 224×224 are 1.4 GiB); stops a wrong path from filling the memory. */
const MAX_KEY_BYTES = 2 ** 31;

/**
 * The bytes of a key file; equal keys give equal bytes.
 *
 * @throws WildmarkError `bad-key` when the key contradicts itself: nothing is written that could not be read.
 */
export function encodeKey(key: Key): Uint8Array {
  return keyToBytes(key);
}

/**
 * Reads the bytes of a key file.
 *
 * @param where the file's name, for messages.
 * @throws WildmarkError `bad-file` when it is no sound safetensors file, `bad-key` when it is one but no sound key.
 */
export function decodeKey(bytes: Uint8Array, where: string): Key {
  return bytesToKey(bytes, where);
}

/** Hex SHA-256 of the key's file: of a key in hand, the file that `writeKey` would write. */
export function keySha256(key: Key): string {
  return createHash("sha256").update(keyToBytes(key)).digest("hex");
}

/**
 * Writes a key file that only its owner can read (mode 0600), whole or not at all.
 *
 * @param options.force replace an existing file; false by default, because a lost key cannot be had again.
 * @throws WildmarkError `cannot-write`, `bad-key`.
 */
export async function writeKey(path: string, key: Key, options: { readonly force?: boolean } = {}): Promise<void> {
  await writeFilesAtomic([keyFileChange(path, key)], options);
}

/** What writing a key changes on the disk, for those who write other files with it (`writeFilesAtomic`). */
export function keyFileChange(path: string, key: Key): FileChange {
  return { path, bytes: keyToBytes(key), mode: 0o600 };
}

/**
 * Reads a key file.
 *
 * @throws WildmarkError `bad-file`, `bad-key`.
 */
export async function readKey(path: string): Promise<Key> {
  const key = bytesToKey(await readKeyBytes(path), path);
  requireKnownScheme(key, path);
  return key;
}

/**
 * The bytes of a key file as they are, for `commitToKey`; `decodeKey` reads them.
 *
 * @throws WildmarkError `bad-file`.
 */
export async function readKeyBytes(path: string): Promise<Uint8Array> {
  return readFileBounded(path, { what: "a key", maxBytes: MAX_KEY_BYTES });
}
