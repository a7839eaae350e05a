/**
 * @file A model is the bytes of its file and a view of them.
 *
 * The bytes are the truth: writing a model back gives them unchanged, and new weights go in where the old ones were.
 * The view (`Graph`) is what the rest of Wildmark computes with. Both share the memory of the weights (`pieces.ts`).
 */

import { createHash } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { WildmarkError } from "../core/errors.js";
import { sameDims, type Tensor } from "../core/tensor.js";
import { graphFromProto } from "./decode.js";
import { externalTensors, type ReadExternal } from "./external.js";
import { settleForInference } from "./for-inference.js";
import type { Graph } from "./graph.js";
import { type Head, headOver } from "./head.js";
import { inlineFunctions } from "./inline-functions.js";
import { type ModelProto, ModelProtoSchema } from "./onnx_pb.js";
import { cutAtTensors, joined, type Piece, withInitializers } from "./pieces.js";
import { type PreprocessingSource, preprocessingInMetadata } from "./preprocessing.js";
import { recogniseFile } from "./recognise.js";
import { withSafeNames } from "./reserved-names.js";
import { storedTensors } from "./traverse.js";
import { widen } from "./widen.js";
import { checkNesting, replaceMetadata, replaceTensors } from "./wire.js";
import { defined } from "../core/defined.js";

export interface Model {
  /**
   * The whole file, as it was read (`encodeModel`); data that lay in other files has been drawn in, 16-bit floats are
   * float32.
   */
  readonly file: readonly Piece[];
  readonly graph: Graph;
  /** The file's name of each value that has another one in `graph` (`withSafeNames`). */
  readonly inFile: ReadonlyMap<string, string>;
  /** The file's own key-value pairs (`metadata_props`). */
  readonly metadata: ReadonlyMap<string, string>;
  /** Who wrote the file, and in which version of the format. */
  readonly origin: ModelOrigin;
  /** What is said of the images that it expects, most trusted first (`resolvePreprocessing`). */
  readonly preprocessing: readonly PreprocessingSource[];
  /** What is said of how its answers are read (`findClassifier`). */
  readonly head: Head;
  /** What reading changed, in sentences: commands show them. */
  readonly notes: readonly string[];
}

export interface ModelOrigin {
  readonly irVersion: number;
  /** Such as "pytorch 2.4.0"; empty where the file does not say. */
  readonly producer: string;
}

/**
 * Decodes an ONNX model. What it needs of `bytes` is copied.
 *
 * @param where names the file in messages.
 * @param external reads data that the model keeps in other files; without it such a model is refused.
 * @throws WildmarkError `bad-file` for what is not ONNX, truncated, or lies about its sizes; `bad-model` for a graph
 *   that is missing, not whole, or holds no numbers.
 */
export function decodeModel(bytes: Uint8Array, where: string, external?: ReadExternal): Model {
  return inFile(where, () => {
    let proto = parse(bytes);
    if (proto.irVersion > NEWEST_IR_VERSION) throw fromTheFuture(proto.irVersion);
    const outside = externalTensors(proto, external);
    const whole = outside.size === 0 ? bytes : replaceTensors(bytes, outside).bytes;
    if (whole !== bytes) proto = parse(whole);
    const notes = simplified(proto, where);
    const read = notes.length === 0 ? whole : toBinary(ModelProtoSchema, proto);
    if (read !== whole) proto = parse(read);
    const metadata = new Map(proto.metadataProps.map(({ key, value }) => [key, value]));
    const asNamed = graphFromProto(proto);
    const { graph, inFile } = withSafeNames(asNamed);
    return {
      file: cutAtTensors(read, proto, asNamed.initializers),
      graph,
      inFile,
      metadata,
      origin: { irVersion: Number(proto.irVersion), producer: `${proto.producerName} ${proto.producerVersion}`.trim() },
      preprocessing: preprocessingInMetadata(metadata),
      head: {},
      notes,
    };
  });
}

/** Changes `proto` in place into what Wildmark computes with. Says what was changed, in sentences; none for nothing. */
function simplified(proto: ModelProto, where: string): string[] {
  const notes: string[] = [];
  const calls = inlineFunctions(proto);
  if (calls > 0) {
    notes.push(`${where} calls functions of its own (${calls} times); they were written out as plain operators.`);
  }
  if (widen(proto)) notes.push(`${where} holds 16-bit floats; they were converted to float32.`);
  const { batchNorms, dropouts } = settleForInference(proto);
  const settled = [
    ...(batchNorms === 0 ? [] : [`${batchNorms} BatchNormalization`]),
    ...(dropouts === 0 ? [] : [`${dropouts} Dropout`]),
  ];
  if (settled.length > 0) {
    notes.push(
      `${where} was exported in training mode (${settled.join(", ")}): it was turned into inference, here ` +
        `and in what is written.`,
    );
  }
  return notes;
}

/** The bytes of the model's file, put together anew. */
export function encodeModel(model: Model): Uint8Array {
  return joined(model.file);
}

/**
 * The same model with other weights. Only the data of these tensors changes; every other byte of the file stays.
 *
 * @param weights by the name of an initialiser or of a `Constant` node's output, each with the element type and the
 * dimensions of the tensor it replaces. They become part of the model: do not write into them afterwards.
 */
export function withWeights(model: Model, weights: ReadonlyMap<string, Tensor>): Model {
  const stored = storedTensors(model.graph);
  const asInFile = new Map([...weights].map(([name, tensor]) => [model.inFile.get(name) ?? name, tensor]));
  for (const [name, next] of weights) {
    const old = stored.get(name);
    if (old === undefined) throw new Error(`the model stores no tensor "${name}"`);
    if (old.type !== next.type || !sameDims(old.dims, next.dims)) {
      throw new Error(`"${name}" is ${old.type} [${old.dims}], its replacement ${next.type} [${next.dims}]`);
    }
  }
  const file = withInitializers(model.file, asInFile);
  if (file !== undefined) {
    const initializers = new Map([...model.graph.initializers].map(([name, old]) => [name, weights.get(name) ?? old]));
    return { ...model, file, graph: { ...model.graph, initializers } };
  }
  const { bytes, replaced } = replaceTensors(encodeModel(model), asInFile);
  if (replaced.size !== weights.size) throw new Error("some weights were not found in the model's bytes");
  return withBytes(model, bytes);
}

/** The model that `bytes` hold, of whose preprocessing and head is known what is known of `model`'s. */
export function withBytes({ preprocessing, head, notes }: Model, bytes: Uint8Array): Model {
  return { ...decodeModel(bytes, "the model"), preprocessing, head, notes };
}

/** The same model with one more source of its preprocessing, trusted more than those it had. */
export function withPreprocessing(model: Model, source: PreprocessingSource): Model {
  return { ...model, preprocessing: [source, ...model.preprocessing] };
}

/** The same model with its answers read as `head` says, and as was said before where it says nothing. */
export function withHead(model: Model, head: Head): Model {
  return { ...model, head: headOver(head, model.head) };
}

/** The same model with these key-value pairs added to its metadata, or changed there. */
export function withMetadata(model: Model, entries: ReadonlyMap<string, string>): Model {
  return withBytes(model, replaceMetadata(encodeModel(model), entries));
}

/** SHA-256 of a model's bytes, in hexadecimal: what keys and results know a model by. */
export function modelSha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Of the file format, as ONNX Runtime 1.30 takes it. */
const NEWEST_IR_VERSION = 13n;

function fromTheFuture(version: bigint): WildmarkError {
  return new WildmarkError(
    "bad-model",
    `The model is in IR version ${version} of the ONNX format; Wildmark takes versions up to ${NEWEST_IR_VERSION}.`,
    { hint: "Save it again in an older version of the format, or see whether a newer Wildmark is out." },
  );
}

function parse(bytes: Uint8Array): ModelProto {
  if (bytes.byteLength === 0) throw new WildmarkError("bad-file", "The file is empty; expected an ONNX model.");
  const other = recogniseFile(bytes);
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes);
    checkNesting(bytes);
  } catch (cause) {
    const message = other === undefined ? "No ONNX model, or a damaged one" : `${other.what}, not an ONNX model`;
    throw new WildmarkError("bad-file", `${message}.`, { hint: other?.hint ?? DAMAGED, cause });
  }
  if (proto.graph === undefined && proto.opsetImport.length === 0) {
    const message = other === undefined ? "No ONNX model" : `${other.what}, not an ONNX model`;
    throw new WildmarkError("bad-file", `${message}.`, { hint: other?.hint ?? DAMAGED });
  }
  return proto;
}

const DAMAGED = "If it is an ONNX file, it may be truncated: compare its size with the original, or export it again.";

/** Puts the file's name before the message of whatever goes wrong inside. */
function inFile<T>(where: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof WildmarkError)) throw error;
    const { code, message, hint, cause } = error;
    throw new WildmarkError(code, `${where}: ${message}`, { ...defined({ hint }), cause });
  }
}
