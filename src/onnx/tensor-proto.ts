/**
 * @file Between a tensor and its `TensorProto`, raw or typed. ONNX stores raw data little-endian, as every machine Node
 * runs on.
 */

import { create } from "@bufbuild/protobuf";
import { WildmarkError } from "../core/errors.js";
import { type ElementArrays, type ElementType, elementCount, type Tensor } from "../core/tensor.js";
import {
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  type TensorProto,
  TensorProtoSchema,
} from "./onnx_pb.js";

const DATA_TYPES: Readonly<Record<ElementType, DataType>> = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  float16: DataType.FLOAT16,
  bfloat16: DataType.BFLOAT16,
  int8: DataType.INT8,
  int16: DataType.INT16,
  int32: DataType.INT32,
  int64: DataType.INT64,
  uint8: DataType.UINT8,
  uint16: DataType.UINT16,
  uint32: DataType.UINT32,
  uint64: DataType.UINT64,
  bool: DataType.BOOL,
};

const ELEMENT_TYPES: ReadonlyMap<number, ElementType> = new Map(
  (Object.keys(DATA_TYPES) as ElementType[]).map((type) => [DATA_TYPES[type], type]),
);

/** The `TensorProto.DataType` number of an element type. */
export function dataTypeOf(type: ElementType): number {
  return DATA_TYPES[type];
}

/** The element type of a `TensorProto.DataType` number; undefined for strings, complex and 8-bit floats. */
export function elementTypeOf(dataType: number): ElementType | undefined {
  return ELEMENT_TYPES.get(dataType);
}

/** The bytes of a tensor's data, not copied. */
export function rawBytes(tensor: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

export function tensorToProto(name: string, tensor: Tensor): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: DATA_TYPES[tensor.type],
    dims: tensor.dims.map(BigInt),
    rawData: rawBytes(tensor),
  });
}

/** What messages call a `TensorProto.DataType` number: "string", "float8e4m3fn", or "type 99". */
export function dataTypeName(dataType: number): string {
  return DataType[dataType]?.toLowerCase() ?? `type ${dataType}`;
}

/** Whether a tensor's data lies in another file (`data_location` EXTERNAL). */
export function isExternal(proto: TensorProto): boolean {
  return proto.dataLocation === DataLocation.EXTERNAL;
}

/**
 * The dimensions of a tensor, each a whole number.
 *
 * @param what names the tensor in messages: `initialiser "conv1.weight"`.
 * @throws WildmarkError `bad-file` for dimensions that are negative or too large to be true.
 */
export function dimsOf(proto: TensorProto, what: string): number[] {
  const dims = proto.dims.map(Number);
  if (dims.some((dim) => dim < 0) || !Number.isSafeInteger(elementCount(dims))) {
    throw new WildmarkError("bad-file", `${what} claims the impossible shape [${proto.dims}].`);
  }
  return dims;
}

/**
 * Reads a tensor, raw or typed, into memory of its own. Nothing is allocated by what the dimensions claim: the data
 * must be there.
 *
 * @param what names the tensor in messages: `initialiser "conv1.weight"`.
 * @throws WildmarkError `bad-model` for element types that Wildmark does not take (strings, complex, 8-bit floats),
 * `bad-file` where dimensions and data disagree.
 */
export function tensorFromProto(proto: TensorProto, what: string): Tensor {
  const type = elementTypeOf(proto.dataType);
  if (type === undefined) {
    throw new WildmarkError("bad-model", `${what} holds ${dataTypeName(proto.dataType)} elements; expected numbers.`);
  }
  if (proto.segment !== undefined || isExternal(proto)) {
    throw new WildmarkError("bad-model", `${what} keeps its data elsewhere; expected it in the file.`);
  }
  const dims = dimsOf(proto, what);
  const expected = elementCount(dims);
  const typed = typedLength(type, proto);
  const raw = proto.rawData.byteLength > 0 || typed === 0;
  const size = ELEMENT_BYTES[type];
  const found = raw ? proto.rawData.byteLength / size : typed;
  if (found !== expected) {
    const holds = raw ? `${proto.rawData.byteLength} bytes` : `${found} elements`;
    throw new WildmarkError(
      "bad-file",
      `${what} claims ${expected} ${type} elements [${dims}] (${expected * size} bytes) but holds ${holds}.`,
      { hint: "The file is damaged or truncated: copy or export it again." },
    );
  }
  // Copied even where it happens to be aligned, so that nobody who writes into a tensor writes into the file.
  // (Not by `slice`, which shares memory where the file came as a Node Buffer.)
  const data = raw ? OVER_BUFFER[type](new Uint8Array(proto.rawData).buffer) : FROM_TYPED[type](proto);
  return { type, dims, data } as Tensor; // both tables give the array that belongs to `type`
}

const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  ...{ float32: 4, float64: 8, float16: 2, bfloat16: 2, bool: 1 },
  ...{ int8: 1, int16: 2, int32: 4, int64: 8, uint8: 1, uint16: 2, uint32: 4, uint64: 8 },
};

/** Bytes of one element. */
export function elementBytes(type: ElementType): number {
  return ELEMENT_BYTES[type];
}

const OVER_BUFFER: { readonly [T in ElementType]: (buffer: ArrayBuffer) => ElementArrays[T] } = {
  float32: (buffer) => new Float32Array(buffer),
  float64: (buffer) => new Float64Array(buffer),
  float16: (buffer) => new Uint16Array(buffer),
  bfloat16: (buffer) => new Uint16Array(buffer),
  int8: (buffer) => new Int8Array(buffer),
  int16: (buffer) => new Int16Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  int64: (buffer) => new BigInt64Array(buffer),
  uint8: (buffer) => new Uint8Array(buffer),
  uint16: (buffer) => new Uint16Array(buffer),
  uint32: (buffer) => new Uint32Array(buffer),
  uint64: (buffer) => new BigUint64Array(buffer),
  bool: (buffer) => new Uint8Array(buffer),
};

/** Which typed field holds an element type: see the comments on `TensorProto` in onnx.proto. */
const FROM_TYPED: { readonly [T in ElementType]: (proto: TensorProto) => ElementArrays[T] } = {
  float32: (proto) => new Float32Array(proto.floatData),
  float64: (proto) => new Float64Array(proto.doubleData),
  float16: (proto) => new Uint16Array(proto.int32Data),
  bfloat16: (proto) => new Uint16Array(proto.int32Data),
  int8: (proto) => new Int8Array(proto.int32Data),
  int16: (proto) => new Int16Array(proto.int32Data),
  int32: (proto) => new Int32Array(proto.int32Data),
  int64: (proto) => new BigInt64Array(proto.int64Data),
  uint8: (proto) => new Uint8Array(proto.int32Data),
  uint16: (proto) => new Uint16Array(proto.int32Data),
  uint32: (proto) => Uint32Array.from(proto.uint64Data, Number),
  uint64: (proto) => new BigUint64Array(proto.uint64Data),
  bool: (proto) => new Uint8Array(proto.int32Data),
};

function typedLength(type: ElementType, proto: TensorProto): number {
  switch (type) {
    case "float32":
      return proto.floatData.length;
    case "float64":
      return proto.doubleData.length;
    case "int64":
      return proto.int64Data.length;
    case "uint32":
    case "uint64":
      return proto.uint64Data.length;
    default:
      return proto.int32Data.length;
  }
}
