/** @file Between a tensor and its `TensorProto`. ONNX stores raw data little-endian, as every machine Node runs on. */

import { create } from "@bufbuild/protobuf";
import type { ElementType, Tensor } from "../core/tensor.js";
import { TensorProto_DataType as DataType, type TensorProto, TensorProtoSchema } from "./onnx_pb.js";

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
