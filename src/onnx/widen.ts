/**
 * @file Turns a model of 16-bit floats into one of float32 that computes the same in more digits: Wildmark trains in
 * float32 only.
 *
 * Stored tensors, declared types and the targets of casts change; names, nodes and shapes stay.
 */

import type { Message } from "@bufbuild/protobuf";
import type { Tensor } from "../core/tensor.js";
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type ModelProto,
  type TensorProto,
  type ValueInfoProto,
} from "./onnx_pb.js";
import { rawBytes, tensorFromProto } from "./tensor-proto.js";

/** Attributes that name an element type: what Cast casts to, what random numbers and identity matrices are made of. */
const TYPE_ATTRIBUTES: readonly string[] = ["to", "dtype", "output_datatype", "stash_type"];

/**
 * Changes the model in place into float32.
 *
 * @returns whether it held 16-bit floats.
 * @throws WildmarkError `bad-file` where a tensor's data and dimensions disagree.
 */
export function widen(model: ModelProto): boolean {
  if (model.graph === undefined || !holdsHalf(model.graph)) return false;
  widenGraph(model.graph);
  return true;
}

function isHalf(dataType: number): boolean {
  return dataType === DataType.FLOAT16 || dataType === DataType.BFLOAT16;
}

function tensorsOf(graph: GraphProto): TensorProto[] {
  const held = graph.node.flatMap((node) =>
    node.attribute.flatMap(({ t, tensors }) => (t === undefined ? tensors : [t, ...tensors])),
  );
  return [...graph.initializer, ...held];
}

function valuesOf(graph: GraphProto): ValueInfoProto[] {
  return [...graph.input, ...graph.output, ...graph.valueInfo];
}

function subgraphsOf(graph: GraphProto): GraphProto[] {
  return graph.node.flatMap((node) =>
    node.attribute.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs])),
  );
}

function holdsHalf(graph: GraphProto): boolean {
  return (
    tensorsOf(graph).some(({ dataType }) => isHalf(dataType)) ||
    valuesOf(graph).some(({ type }) => type?.value.case === "tensorType" && isHalf(type.value.value.elemType)) ||
    subgraphsOf(graph).some(holdsHalf)
  );
}

function widenGraph(graph: GraphProto): void {
  for (const tensor of tensorsOf(graph)) if (isHalf(tensor.dataType)) widenTensor(tensor);
  for (const { type } of valuesOf(graph)) {
    if (type?.value.case === "tensorType" && isHalf(type.value.value.elemType))
      type.value.value.elemType = DataType.FLOAT;
  }
  for (const node of graph.node) {
    for (const attribute of node.attribute) {
      if (TYPE_ATTRIBUTES.includes(attribute.name) && isHalf(Number(attribute.i))) attribute.i = BigInt(DataType.FLOAT);
    }
  }
  for (const inner of subgraphsOf(graph)) widenGraph(inner);
}

function widenTensor(proto: TensorProto): void {
  const half = tensorFromProto(proto, `Tensor "${proto.name}"`);
  const changed: Omit<Partial<TensorProto>, keyof Message> = {
    dataType: DataType.FLOAT,
    int32Data: [],
    rawData: rawBytes({ type: "float32", dims: half.dims, data: widenedData(half) }),
  };
  Object.assign(proto, changed);
}

function widenedData(tensor: Tensor): Float32Array {
  return Float32Array.from(tensor.data, tensor.type === "bfloat16" ? fromBfloat16 : fromFloat16);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The upper half of a float32. */
function fromBfloat16(bits: number | bigint): number {
  scratch.setUint32(0, Number(bits) << 16);
  return scratch.getFloat32(0);
}

/** IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits; every value is a float32 too. */
export function fromFloat16(bits: number | bigint): number {
  const half = Number(bits);
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
