/**
 * @file Makes the view (`graph.ts`) of a decoded ONNX file, and checks on the way that the graph is whole.
 *
 * Every name that is read must be made somewhere, once; every tensor must hold what its dimensions claim.
 */

import { isFieldSet } from "@bufbuild/protobuf";
import { WildmarkError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import type { Attribute, Dim, Graph, Node, ValueInfo } from "./graph.js";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from "./onnx_pb.js";
import { sortNodes } from "./sort.js";
import { dataTypeName, elementTypeOf, tensorFromProto } from "./tensor-proto.js";

/**
 * @throws WildmarkError `bad-model` for a graph that is missing, empty, or not whole (a value that nothing computes, a
 * name given twice, a circle, element types that are no numbers); `bad-file` for tensors whose data does not fit.
 */
export function graphFromProto(model: ModelProto): Graph {
  const { graph } = model;
  if (graph === undefined) throw new WildmarkError("bad-model", "The model holds no graph.");
  if (graph.node.length === 0) throw new WildmarkError("bad-model", "The model's graph has no nodes.");
  if (graph.sparseInitializer.length > 0) {
    throw new WildmarkError("bad-model", "The model stores sparse tensors; expected dense ones.");
  }
  const initializers = decodeInitializers(graph);
  const inputs = graph.input.filter((input) => !initializers.has(input.name)).map(decodeValueInfo);
  const given = new Set([...initializers.keys(), ...inputs.map((input) => input.name)]);
  const readers = graph.node.map((node) => ({ node: decodeNode(node), reads: [...node.input, ...capturedBy(node)] }));
  const nodes = sortNodes(readers, given);
  const outputs = graph.output.map(decodeValueInfo);
  const known = new Set([...given, ...nodes.flatMap((node) => node.outputs)]);
  for (const { name } of outputs) {
    if (!known.has(name)) throw new WildmarkError("bad-model", `Nothing computes the model's output "${name}".`);
  }
  const opsets = new Map(model.opsetImport.map(({ domain, version }) => [normalDomain(domain), Number(version)]));
  return { name: graph.name, inputs, outputs, nodes, initializers, opsets };
}

function decodeInitializers(graph: GraphProto): Map<string, Tensor> {
  const initializers = new Map<string, Tensor>();
  for (const proto of graph.initializer) {
    if (initializers.has(proto.name)) {
      throw new WildmarkError("bad-model", `The model has two initialisers named "${proto.name}".`);
    }
    initializers.set(proto.name, tensorFromProto(proto, `Initialiser "${proto.name}"`));
  }
  return initializers;
}

/** The view of one node; bodies within it are opaque. */
export function decodeNode(node: NodeProto): Node {
  return {
    name: node.name,
    opType: node.opType,
    domain: normalDomain(node.domain),
    inputs: node.input,
    outputs: node.output,
    attributes: Object.fromEntries(
      node.attribute.map((attribute) => [attribute.name, decodeAttribute(attribute, node)]),
    ),
  };
}

/** The standard operators' domain has two spellings. */
function normalDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

function decodeAttribute(proto: AttributeProto, node: NodeProto): Attribute {
  const type = isFieldSet(proto, AttributeProtoSchema.field.type) ? proto.type : guessType(proto);
  switch (type) {
    case AttributeType.INT:
      return { kind: "int", value: toNumber(proto.i) };
    case AttributeType.FLOAT:
      return { kind: "float", value: proto.f };
    case AttributeType.STRING:
      return { kind: "string", value: utf8.decode(proto.s) };
    case AttributeType.INTS:
      return { kind: "ints", value: proto.ints.map(toNumber) };
    case AttributeType.FLOATS:
      return { kind: "floats", value: proto.floats };
    case AttributeType.STRINGS:
      return { kind: "strings", value: proto.strings.map((text) => utf8.decode(text)) };
    case AttributeType.TENSOR: {
      if (proto.t === undefined) break;
      if (elementTypeOf(proto.t.dataType) === undefined) {
        return { kind: "opaque", what: `tensor of ${dataTypeName(proto.t.dataType)}` };
      }
      const [output] = node.output;
      const what = `Attribute "${proto.name}" of ${node.opType} node "${node.name || (output ?? "?")}"`;
      return { kind: "tensor", value: tensorFromProto(proto.t, what) };
    }
  }
  return { kind: "opaque", what: (AttributeType[type] ?? `type ${type}`).toLowerCase() };
}

const utf8 = new TextDecoder();

/** Files older than IR version 2 leave the type of an attribute out. */
function guessType(proto: AttributeProto): AttributeType {
  const { field } = AttributeProtoSchema;
  if (isFieldSet(proto, field.i)) return AttributeType.INT;
  if (isFieldSet(proto, field.f)) return AttributeType.FLOAT;
  if (isFieldSet(proto, field.s)) return AttributeType.STRING;
  if (proto.t !== undefined) return AttributeType.TENSOR;
  if (proto.g !== undefined) return AttributeType.GRAPH;
  if (proto.floats.length > 0) return AttributeType.FLOATS;
  if (proto.strings.length > 0) return AttributeType.STRINGS;
  return AttributeType.INTS;
}

/** "To the end" is written as the largest int64, which is no exact number: the largest exact one means the same. */
function toNumber(value: bigint): number {
  const number = Number(value);
  return Math.min(Math.max(number, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

/** The values that a node's sub-graphs (If, Loop, Scan) take from around it. */
function capturedBy(node: NodeProto): string[] {
  return node.attribute
    .flatMap((attribute) => [...(attribute.g === undefined ? [] : [attribute.g]), ...attribute.graphs])
    .flatMap((graph) => {
      const own = new Set<string>([
        ...graph.input.map((input) => input.name),
        ...graph.initializer.map((tensor) => tensor.name),
        ...graph.node.flatMap((inner) => inner.output),
      ]);
      const read = [
        ...graph.node.flatMap((inner) => [...inner.input, ...capturedBy(inner)]),
        ...graph.output.map((output) => output.name),
      ];
      return read.filter((name) => name !== "" && !own.has(name));
    });
}

function decodeValueInfo(proto: ValueInfoProto): ValueInfo {
  const type = proto.type?.value;
  if (type?.case !== "tensorType") return { name: proto.name, type: undefined, dims: undefined };
  return {
    name: proto.name,
    type: elementTypeOf(type.value.elemType),
    dims: type.value.shape?.dim.map(({ value }): Dim => {
      if (value.case === "dimParam") return value.value === "" ? undefined : value.value;
      // Some exporters write 0 or -1 for "any".
      return value.case === "dimValue" && value.value > 0n ? Number(value.value) : undefined;
    }),
  };
}
