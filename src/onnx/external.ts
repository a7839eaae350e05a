/**
 * @file Weights that an ONNX model keeps in other files (`data_location` EXTERNAL), drawn in so that the model is
 * whole.
 *
 * This file knows what is wanted; where it may come from is up to the reader that is handed in (`model-file.ts`).
 */

import { WildmarkError } from "../core/errors.js";
import { elementCount, type Tensor } from "../core/tensor.js";
import type { ModelProto, TensorProto } from "./onnx_pb.js";
import { dataTypeName, dimsOf, elementBytes, elementTypeOf, isExternal, tensorFromProto } from "./tensor-proto.js";

/**
 * Reads exactly `length` bytes at `offset` of the file that a model calls `location`, a path relative to the model's.
 *
 * @throws WildmarkError `bad-file` where that file is missing, too short, or not one that the model may read.
 */
export type ReadExternal = (location: string, offset: number, length: number) => Uint8Array;

/** Protobuf messages, and so ONNX files, hold less than 2 GiB. */
export const LARGEST_MODEL = 2 ** 31 - 1;

/**
 * The external tensors of a model by the name of the initialiser, or of the output of the `Constant` node that holds
 * one.
 *
 * @throws WildmarkError `bad-file` for an entry that contradicts itself, `bad-model` where there is no reader or the
 * weights would not fit into one file.
 */
export function externalTensors(model: ModelProto, read: ReadExternal | undefined): Map<string, Tensor> {
  const protos = new Map<string, TensorProto>();
  for (const tensor of model.graph?.initializer ?? []) if (isExternal(tensor)) protos.set(tensor.name, tensor);
  for (const node of model.graph?.node ?? []) {
    const held = node.opType === "Constant" ? node.attribute.find(({ name }) => name === "value")?.t : undefined;
    const [output] = node.output;
    if (held !== undefined && output !== undefined && isExternal(held)) protos.set(output, held);
  }
  if (protos.size === 0) return new Map();

  const wanted = [...protos].map(([name, proto]) => ({ name, proto, ...entryOf(name, proto) }));
  const [first] = wanted;
  if (read === undefined) {
    throw new WildmarkError("bad-model", `The model keeps "${first?.name}" in another file, "${first?.location}".`, {
      hint: "Read the model from its file, with that file beside it.",
    });
  }
  const total = wanted.reduce((sum, { length }) => sum + length, 0);
  if (total > LARGEST_MODEL) {
    throw new WildmarkError("bad-model", `The model's weights fill ${total} bytes; Wildmark takes less than 2 GiB.`);
  }
  const files = new Map<string, Tensor>();
  for (const { name, proto, location, offset, length } of wanted) {
    const rawData = read(location, offset, length);
    const inside: TensorProto = { ...proto, rawData, externalData: [], dataLocation: 0 };
    files.set(name, tensorFromProto(inside, `Tensor "${name}"`));
  }
  return files;
}

interface Entry {
  readonly location: string;
  readonly offset: number;
  /** Bytes, as the dimensions demand. */
  readonly length: number;
}

function entryOf(name: string, proto: TensorProto): Entry {
  const what = `Tensor "${name}"`;
  const type = elementTypeOf(proto.dataType);
  if (type === undefined) {
    throw new WildmarkError("bad-model", `${what} holds ${dataTypeName(proto.dataType)} elements; expected numbers.`);
  }
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  if (location === "") throw new WildmarkError("bad-file", `${what} lies in another file, but does not say in which.`);
  const length = elementCount(dimsOf(proto, what)) * elementBytes(type);
  const offset = wholeNumber(entries.get("offset") ?? "0");
  const claimed = wholeNumber(entries.get("length") ?? String(length));
  if (offset === undefined || claimed !== length) {
    throw new WildmarkError(
      "bad-file",
      `${what} is said to lie at offset ${entries.get("offset") ?? 0} of "${location}" with ${entries.get("length")} ` +
        `bytes; its shape [${proto.dims}] needs ${length}.`,
    );
  }
  return { location, offset, length };
}

function wholeNumber(text: string): number | undefined {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  return number !== undefined && Number.isSafeInteger(number) ? number : undefined;
}
