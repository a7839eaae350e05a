/**
 * @file IDX, the format of MNIST and its siblings, plain or gzipped.
 *
 * http://yann.lecun.com/exdb/mnist/ : two zero bytes, the element type, the number of dimensions, the dimensions as
 * big-endian 32-bit integers, then the elements. Only unsigned bytes (type 8) are read: images have three dimensions,
 * labels one. A header is never believed: what it claims is compared with what is there before anything is allocated.
 */

import { constants, gunzipSync } from "node:zlib";
import { WildmarkError } from "../core/errors.js";

/** An array of unsigned bytes as an IDX file holds it. */
export interface IdxArray {
  readonly dims: readonly number[];
  /** As many bytes as the product of `dims`; may be a view of the file's bytes. */
  readonly data: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;
const elementTypes: Readonly<Record<number, string>> = {
  9: "signed bytes",
  11: "16-bit integers",
  12: "32-bit integers",
  13: "32-bit floats",
  14: "64-bit floats",
};
/** Deflate cannot do better than 1032 : 1, so a claim beyond that is a lie whatever the file holds. */
const DEFLATE_LIMIT = 1032;
/** Enough of a gzipped file to hold its own header and that of the IDX file. */
const PEEK = 4096;

/** True for the two magic bytes of gzip; names say nothing. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decodes an IDX file of unsigned bytes, gzipped or not.
 *
 * @param what the file, for messages.
 * @throws WildmarkError `bad-file` for a wrong magic number, another element type, a size that disagrees with the
 *   header in either direction, or a damaged gzip stream.
 */
export function decodeIdx(bytes: Uint8Array, what: string): IdxArray {
  if (!isGzip(bytes)) return decodePlain(bytes, what);
  const header = decodeHeader(gunzip(bytes.subarray(0, PEEK), what, PEEK * DEFLATE_LIMIT, "start"), what);
  if (header.length > bytes.length * DEFLATE_LIMIT) {
    throw wrongSize(what, header, `the ${bytes.length} gzipped bytes cannot hold as many`);
  }
  return decodePlain(gunzip(bytes, what, header.length), what);
}

/** Decodes an image file, dims [count, height, width]. Throws as `decodeIdx` does. */
export function decodeIdxImages(bytes: Uint8Array, what: string): IdxArray {
  return withRank(decodeIdx(bytes, what), 3, "images (count, height, width)", what);
}

/** Decodes a label file, dims [count]. Throws as `decodeIdx` does. */
export function decodeIdxLabels(bytes: Uint8Array, what: string): IdxArray {
  return withRank(decodeIdx(bytes, what), 1, "labels (count)", what);
}

/** Encodes unsigned bytes as a plain IDX file. The product of `dims` is the length of `data`. */
export function encodeIdx({ dims, data }: IdxArray): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * dims.length + data.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, UNSIGNED_BYTE, dims.length]);
  dims.forEach((dim, axis) => {
    view.setUint32(4 + 4 * axis, dim);
  });
  bytes.set(data, 4 + 4 * dims.length);
  return bytes;
}

/**
 * Decompresses gzip to at most `limit` bytes, so that a bomb stops early.
 *
 * @param part `"start"` takes an incomplete stream and gives what can be had of it.
 * @throws WildmarkError `bad-file` when the stream is damaged, cut short or longer than `limit`.
 */
export function gunzip(bytes: Uint8Array, what: string, limit: number, part: "all" | "start" = "all"): Uint8Array {
  try {
    return gunzipSync(bytes, {
      maxOutputLength: Math.max(1, limit),
      chunkSize: 1 << 18,
      ...(part === "start" ? { finishFlush: constants.Z_SYNC_FLUSH } : {}),
    });
  } catch (cause) {
    const tooLong = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WildmarkError(
      "bad-file",
      tooLong
        ? `${what}: expected ${limit} bytes after decompression, found more`
        : `${what}: the gzip stream is damaged or cut short (${reason})`,
      { hint: "fetch the file again", cause },
    );
  }
}

interface IdxHeader {
  readonly dims: readonly number[];
  /** Where the elements begin, in bytes. */
  readonly start: number;
  /** Length of the whole file that the header claims, in bytes. */
  readonly length: number;
}

function decodePlain(bytes: Uint8Array, what: string): IdxArray {
  const header = decodeHeader(bytes, what);
  if (bytes.length !== header.length) throw wrongSize(what, header, `found ${bytes.length}`);
  return { dims: header.dims, data: bytes.subarray(header.start) };
}

function decodeHeader(bytes: Uint8Array, what: string): IdxHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4)
    throw new WildmarkError("bad-file", `${what}: expected an IDX file, found ${bytes.length} bytes`);
  const [zero, zeroToo, type = 0, rank = 0] = bytes;
  if (zero !== 0 || zeroToo !== 0 || rank < 1 || rank > 4 || (type !== UNSIGNED_BYTE && !(type in elementTypes))) {
    const magic = view.getUint32(0).toString(16).padStart(8, "0");
    throw new WildmarkError("bad-file", `${what}: expected an IDX file (it begins with 00 00 08), found ${magic}`, {
      hint: "the files of MNIST are named like train-images-idx3-ubyte.gz",
    });
  }
  if (type !== UNSIGNED_BYTE) {
    throw new WildmarkError("bad-file", `${what}: expected unsigned bytes, found ${elementTypes[type]}`);
  }
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    throw new WildmarkError(
      "bad-file",
      `${what}: the header takes ${start} bytes, the file ends after ${bytes.length}`,
    );
  }
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { dims, start, length: dims.reduce((product, dim) => product * dim, 1) + start };
}

function wrongSize(what: string, header: IdxHeader, found: string): WildmarkError {
  return new WildmarkError(
    "bad-file",
    `${what}: the header says ${header.dims.join("x")}, which takes ${header.length} bytes; ${found}`,
    { hint: "the file is cut short or damaged; fetch it again" },
  );
}

function withRank(array: IdxArray, rank: number, kind: string, what: string): IdxArray {
  if (array.dims.length === rank) return array;
  throw new WildmarkError(
    "bad-file",
    `${what}: expected ${kind}, found an array of ${array.dims.length} dimensions (${array.dims.join("x")})`,
    { hint: "images and labels may have been swapped" },
  );
}
