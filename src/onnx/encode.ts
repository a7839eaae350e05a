/** @file Writes a graph as the bytes of an ONNX model file. */

import { create, toBinary } from "@bufbuild/protobuf";
import type { Attribute, Graph, Node, ValueInfo } from "./graph.js";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./onnx_pb.js";
import { dataTypeOf, tensorToProto } from "./tensor-proto.js";
import { defined } from "../core/defined.js";

export interface ModelMetadata {
  readonly producerVersion?: string;
  readonly docString?: string;
  /** Key-value pairs kept in the file's `metadata_props`. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** IR version 10 is what opset 21 came with; ONNX Runtime 1.18 and newer read it. */
const IR_VERSION = 10n;

export function encodeGraph(graph: Graph, metadata: ModelMetadata = {}): Uint8Array {
  return toBinary(ModelProtoSchema, graphToProto(graph, metadata));
}

export function graphToProto(graph: Graph, metadata: ModelMetadata = {}): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: "wildmark",
    producerVersion: metadata.producerVersion ?? "",
    ...defined({ docString: metadata.docString }),
    opsetImport: [...graph.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    metadataProps: Object.entries(metadata.properties ?? {}).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      node: graph.nodes.map(nodeToProto),
      initializer: [...graph.initializers].map(([name, tensor]) => tensorToProto(name, tensor)),
      input: graph.inputs.map(valueInfoToProto),
      output: graph.outputs.map(valueInfoToProto),
    },
  });
}

function nodeToProto(node: Node): NodeProto {
  return create(NodeProtoSchema, {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, value]) => attributeToProto(name, value)),
  });
}

function attributeToProto(name: string, attribute: Attribute): AttributeProto {
  switch (attribute.kind) {
    case "int":
      return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(attribute.value) });
    case "float":
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: attribute.value });
    case "string":
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.STRING,
        s: new TextEncoder().encode(attribute.value),
      });
    case "tensor":
      return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: tensorToProto("", attribute.value) });
    case "ints":
      return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: attribute.value.map(BigInt) });
    case "floats":
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...attribute.value] });
    case "strings":
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.STRINGS,
        strings: attribute.value.map((text) => new TextEncoder().encode(text)),
      });
    case "opaque":
      throw new Error(`attribute "${name}" (${attribute.what}) cannot be written into a derived graph`);
  }
}

function valueInfoToProto(value: ValueInfo): ValueInfoProto {
  const shape =
    value.dims === undefined
      ? undefined
      : {
          dim: value.dims.map((dim) => ({
            value:
              dim === undefined
                ? ({ case: undefined } as const)
                : typeof dim === "number"
                  ? ({ case: "dimValue", value: BigInt(dim) } as const)
                  : ({ case: "dimParam", value: dim } as const),
          })),
        };
  return create(ValueInfoProtoSchema, {
    name: value.name,
    ...(value.type === undefined
      ? {}
      : {
          type: {
            value: {
              case: "tensorType",
              value: { elemType: dataTypeOf(value.type), ...defined({ shape }) },
            },
          },
        }),
  });
}
