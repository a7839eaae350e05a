/**
 * @file The bytes of a model's file in pieces, so that weights are in memory once: where the file has a tensor's data,
 * the piece is the memory of that tensor, and all that lies between is kept as it was.
 */

import type { Tensor } from "../core/tensor.js";
import type { ModelProto } from "./onnx_pb.js";
import { rawBytes } from "./tensor-proto.js";
import { join } from "./wire.js";

/** A part of a file; not written into. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** The initialiser whose data this is, and whose memory; undefined for what lies between. */
  readonly initializer?: string;
}

/**
 * @param bytes the file; not kept.
 * @param proto what was parsed from them, and shares their memory.
 * @param initializers what was decoded from it, and has memory of its own.
 */
export function cutAtTensors(
  bytes: Uint8Array,
  proto: ModelProto,
  initializers: ReadonlyMap<string, Tensor>,
): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { name, rawData } of proto.graph?.initializer ?? []) {
    const tensor = initializers.get(name);
    if (tensor === undefined || rawData.byteLength === 0 || rawData.buffer !== bytes.buffer) continue;
    const start = rawData.byteOffset - bytes.byteOffset;
    // Fields that come twice, or graphs in an order of their own, would lie elsewhere: what is not ahead stays uncut.
    if (start < at) continue;
    pieces.push(copied(bytes, at, start), { bytes: rawBytes(tensor), initializer: name });
    at = start + rawData.byteLength;
  }
  return [...pieces, copied(bytes, at, bytes.byteLength)];
}

/**
 * The same file with other data in some of its initialisers, whose memory becomes part of it.
 *
 * @returns undefined where the file has one of them otherwise: as a list of numbers, or in a node.
 */
export function withInitializers(
  pieces: readonly Piece[],
  data: ReadonlyMap<string, Tensor>,
): readonly Piece[] | undefined {
  const cut = new Set(pieces.map(({ initializer }) => initializer));
  if (![...data.keys()].every((name) => cut.has(name))) return undefined;
  return pieces.map((piece) => {
    const next = data.get(piece.initializer ?? "");
    return next === undefined ? piece : { ...piece, bytes: rawBytes(next) };
  });
}

/** The whole file. */
export function joined(pieces: readonly Piece[]): Uint8Array {
  return join(pieces.map(({ bytes }) => bytes));
}

/** Not by `slice`, which shares memory where the file came as a Node Buffer. */
function copied(bytes: Uint8Array, from: number, to: number): Piece {
  return { bytes: new Uint8Array(bytes.subarray(from, to)) };
}
