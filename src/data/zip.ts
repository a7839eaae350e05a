/**
 * @file Members of a zip file, read with a bound on what they unpack to and checked against their CRC-32.
 *
 * yauzl knows the format (zip64, odd names, sizes that lie); what it leaves to its caller is how much to believe.
 */

import { crc32 } from "node:zlib";
import { type Entry, fromBufferPromise, openPromise, type ZipFile } from "yauzl";
import { WildmarkError } from "../core/errors.js";

/** Deflate cannot do better than 1032 : 1. */
const DEFLATE_LIMIT = 1032;

/** One file in a zip file. */
export interface ZipMember {
  /** Size once unpacked, as the directory claims it. */
  readonly size: number;
  /**
   * Unpacks it into memory.
   *
   * @throws WildmarkError `bad-file` when it is encrypted, damaged, or not of the size claimed.
   */
  readonly read: () => Promise<Uint8Array>;
}

/**
 * Opens a zip file (its bytes, or its path for a large one), and closes it after `use`.
 *
 * @throws WildmarkError `bad-file` when it is no zip file, is damaged, or holds a name twice or one that climbs out.
 */
export async function withZip<T>(
  source: Uint8Array | string,
  what: string,
  use: (members: ReadonlyMap<string, ZipMember>) => Promise<T>,
): Promise<T> {
  const zip = await sound(what, () =>
    typeof source === "string"
      ? openPromise(source, { autoClose: false })
      : fromBufferPromise(Buffer.from(source.buffer, source.byteOffset, source.byteLength), { autoClose: false }),
  );
  try {
    return await use(await sound(what, () => directory(zip, what)));
  } finally {
    zip.close();
  }
}

async function directory(zip: ZipFile, what: string): Promise<ReadonlyMap<string, ZipMember>> {
  const members = new Map<string, ZipMember>();
  for await (const entry of zip.eachEntry()) {
    if (members.has(entry.fileName)) throw new Error(`it names ${JSON.stringify(entry.fileName)} twice`);
    const read = () => sound(`${what}: ${entry.fileName}`, () => unpack(zip, entry));
    members.set(entry.fileName, { size: entry.uncompressedSize, read });
  }
  return members;
}

async function unpack(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  const { uncompressedSize: size, compressedSize } = entry;
  if (entry.isEncrypted()) throw new Error("it is encrypted");
  if (size > compressedSize * DEFLATE_LIMIT) throw new Error(`${compressedSize} bytes cannot unpack to ${size}`);
  // Inside the file, or the claim is a lie: checked before anything of that size is allocated.
  if (compressedSize > zip.fileSize) throw new Error(`it claims ${compressedSize} of the file's ${zip.fileSize} bytes`);
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    if (!(chunk instanceof Uint8Array) || at + chunk.length > size) throw new Error(`it is longer than ${size} bytes`);
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (at !== size) throw new Error(`expected ${size} bytes, found ${at}`);
  if (crc32(bytes) !== entry.crc32) throw new Error("its checksum (CRC-32) is wrong");
  return bytes;
}

/** Whatever yauzl or zlib throws means that the file is not sound. */
async function sound<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof WildmarkError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WildmarkError("bad-file", `${what}: not a sound zip file: ${reason}`, {
      hint: "check that the path names the right file and that it was copied whole",
      cause,
    });
  }
}
