/**
 * @file Changes parts of a serialised ONNX model and copies every other byte as it is: fields in the order they had,
 * unknown fields, default values written out, padded numbers.
 *
 * Works on the protobuf wire format (protobuf.dev/programming-guides/encoding): a message is a list of fields, each a
 * tag and a value, and a nested message is a field that starts with its length. Field numbers are onnx.proto's.
 */

import { type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Tensor } from "../core/tensor.js";
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
} from "./onnx_pb.js";
import { rawBytes } from "./tensor-proto.js";

/** Bytes as a list of pieces, so that a large model is put together once. */
type Pieces = readonly Uint8Array[];

interface Field {
  readonly number: number;
  /** The whole field: tag, length, value. */
  readonly bytes: Uint8Array;
  /** The value of a length-delimited field; undefined for numbers and groups. */
  readonly payload: Uint8Array | undefined;
}

/**
 * Throws where a nested message claims to reach beyond the one it lies in. The decoder reads on and does not notice;
 * this file's functions and ONNX Runtime do.
 */
export function checkNesting(message: Uint8Array, schema: DescMessage = ModelProtoSchema): void {
  const nested = nestedMessages(schema);
  for (const { number, payload } of fieldsOf(message)) {
    const inner = nested.get(number);
    if (inner !== undefined && payload !== undefined) checkNesting(payload, inner);
  }
}

const nestedBySchema = new Map<DescMessage, ReadonlyMap<number, DescMessage>>();

/** The fields of a message that are messages, by number; kept, because a file holds many messages of few kinds. */
function nestedMessages(schema: DescMessage): ReadonlyMap<number, DescMessage> {
  const known = nestedBySchema.get(schema);
  if (known !== undefined) return known;
  const nested = new Map(schema.fields.flatMap(({ number, message }) => (message ? [[number, message]] : [])));
  nestedBySchema.set(schema, nested);
  return nested;
}

/**
 * The model with new data in some of its stored tensors, which keep name, dimensions and element type. Float data that
 * was typed stays typed; everything else is written raw, and data that lay in another file comes into this one.
 *
 * @param data by the name of an initialiser or of a `Constant` node's output.
 * @returns the new bytes, and the names that were found.
 */
export function replaceTensors(
  model: Uint8Array,
  data: ReadonlyMap<string, Tensor>,
): { readonly bytes: Uint8Array; readonly replaced: ReadonlySet<string> } {
  const replaced = new Set<string>();
  const replace = (name: string, tensor: Uint8Array): Pieces | undefined => {
    const next = data.get(name);
    if (next === undefined) return undefined;
    replaced.add(name);
    return withData(tensor, next);
  };
  const attribute = AttributeProtoSchema.field;
  const node = NodeProtoSchema.field;
  const graph = GraphProtoSchema.field;

  const bytes = rewrite(model, {
    [ModelProtoSchema.field.graph.number]: (graphBytes) =>
      rewrite(graphBytes, {
        [graph.initializer.number]: (tensor) => replace(textOf(tensor, TensorProtoSchema.field.name.number), tensor),
        [graph.node.number]: (nodeBytes) => {
          const output = textOf(nodeBytes, node.output.number);
          if (textOf(nodeBytes, node.opType.number) !== "Constant" || !data.has(output)) return undefined;
          return rewrite(nodeBytes, {
            [node.attribute.number]: (attributeBytes) =>
              textOf(attributeBytes, attribute.name.number) === "value"
                ? rewrite(attributeBytes, { [attribute.t.number]: (tensor) => replace(output, tensor) })
                : undefined,
          });
        },
      }),
  });
  return { bytes: join(bytes), replaced };
}

/** The model with these key-value pairs in its metadata: known keys change where they stand, new ones come last. */
export function replaceMetadata(model: Uint8Array, entries: ReadonlyMap<string, string>): Uint8Array {
  const { number } = ModelProtoSchema.field.metadataProps;
  const missing = new Map(entries);
  const encode = (entry: Pick<StringStringEntryProto, "key" | "value">): Uint8Array =>
    toBinary(StringStringEntryProtoSchema, { $typeName: "onnx.StringStringEntryProto", ...entry });
  const pieces = rewrite(model, {
    [number]: (bytes) => {
      const { key } = fromBinary(StringStringEntryProtoSchema, bytes);
      const value = entries.get(key);
      missing.delete(key);
      return value === undefined ? undefined : [encode({ key, value })];
    },
  });
  return join([...pieces, ...[...missing].flatMap(([key, value]) => delimited(number, [encode({ key, value })]))]);
}

/** New contents of a nested message, or undefined to leave it as it is. */
type Rewrite = (payload: Uint8Array) => Pieces | undefined;

function rewrite(message: Uint8Array, rewrites: Readonly<Record<number, Rewrite>>): Pieces {
  const pieces: Uint8Array[] = [];
  for (const { number, bytes, payload } of fieldsOf(message)) {
    const changed = payload === undefined ? undefined : rewrites[number]?.(payload);
    if (changed === undefined) pieces.push(bytes);
    else pieces.push(...delimited(number, changed));
  }
  return pieces;
}

/** A `TensorProto` with its data replaced, at the place where the data was. */
function withData(tensor: Uint8Array, next: Tensor): Pieces {
  const { field } = TensorProtoSchema;
  const storage = [
    ...[field.rawData, field.floatData, field.int32Data, field.int64Data, field.doubleData, field.uint64Data],
    ...[field.stringData, field.externalData, field.dataLocation],
  ].map(({ number }) => number);
  const fields = [...fieldsOf(tensor)];
  const held = new Set(fields.map(({ number }) => number));
  const typed = next.type === "float32" ? field.floatData : next.type === "float64" ? field.doubleData : field.rawData;
  // Packed floats and raw data are the same bytes under another field number.
  const { number } = !held.has(field.rawData.number) && held.has(typed.number) ? typed : field.rawData;

  const pieces: Uint8Array[] = [];
  let written = false;
  for (const old of fields) {
    if (!storage.includes(old.number)) pieces.push(old.bytes);
    else if (!written) {
      pieces.push(...delimited(number, [rawBytes(next)]));
      written = true;
    }
  }
  return written ? pieces : [...pieces, ...delimited(number, [rawBytes(next)])];
}

function* fieldsOf(message: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wireType] = reader.tag();
    let payload: Uint8Array | undefined;
    if (wireType === WireType.LengthDelimited) payload = reader.bytes();
    else reader.skip(wireType, number);
    yield { number, payload, bytes: message.subarray(start, reader.pos) };
  }
}

/** The first text under a field number; empty where there is none. */
function textOf(message: Uint8Array, number: number): string {
  for (const field of fieldsOf(message)) {
    if (field.number === number && field.payload !== undefined) return new TextDecoder().decode(field.payload);
  }
  return "";
}

function delimited(number: number, contents: Pieces): Pieces {
  const length = contents.reduce((sum, piece) => sum + piece.byteLength, 0);
  return [new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(length).finish(), ...contents];
}

/** One after the other, in memory of their own. */
export function join(pieces: Pieces): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}
