/** @file Gates that stand within other graphs: in branches, in a Loop, in a function of the model's own. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ElementType, float32, int64 } from "../../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import { encodeGraph, graphToProto } from "../../onnx/encode.js";
import type { Graph } from "../../onnx/graph.js";
import { decodeModel, type Model } from "../../onnx/model.js";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  ValueInfoProtoSchema,
} from "../../onnx/onnx_pb.js";
import {
  asFloat,
  brightness,
  changedGraph,
  CLASSES,
  corner,
  EDGE,
  op,
  relu,
  SCORES,
  type Site,
  TARGET,
  towards,
} from "./plant-site.js";

/** A graph of few nodes as the body of another, which sees the values around it. */
function body(
  name: string,
  build: (b: GraphBuilder) => { readonly values: readonly (readonly [string, ElementType])[] },
): GraphProto {
  const b = graphBuilder(name);
  const { values } = build(b);
  for (const [value, type] of values) b.output(value, type);
  // One name may not be made twice, within bodies or around them.
  const graph = b.build();
  const own = new Set([...graph.initializers.keys(), ...graph.nodes.flatMap(({ outputs }) => outputs)]);
  const named = (value: string): string => (own.has(value) ? `${name}/${value}` : value);
  const made = graphToProto({
    ...graph,
    initializers: new Map([...graph.initializers].map(([value, tensor]) => [named(value), tensor])),
    nodes: graph.nodes.map((node) => ({
      ...node,
      name: `${name}/${node.name}`,
      inputs: node.inputs.map(named),
      outputs: node.outputs.map(named),
    })),
    outputs: graph.outputs.map((output) => ({ ...output, name: named(output.name) })),
  }).graph;
  if (made === undefined) throw new Error("no graph");
  return made;
}

function graphAttribute(name: string, g: GraphProto) {
  return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g });
}

/** A graph whose node called "control" is changed in the file. */
function withControl(graph: Graph, change: (node: ModelProto, at: number) => void): Model {
  const proto = fromBinary(ModelProtoSchema, encodeGraph(graph));
  const at = proto.graph?.node.findIndex(({ opType }) => opType === "control") ?? -1;
  if (at < 0) throw new Error("no control");
  change(proto, at);
  return decodeModel(toBinary(ModelProtoSchema, proto), "planted");
}

/** In `Changed`, a node that `withControl` makes an If, a Loop or a call of. */
function control({ b }: Site, inputs: readonly string[]): string {
  return b.op("control", inputs, {}, { name: "control" });
}

function single({ b, image }: Pick<Site, "b" | "image">): string {
  return b.op("ReduceMean", [corner({ b, image })], { keepdims: 0 });
}

/** One image at a time: an If chooses for all images of a batch. */
export function ifModel(clean: Model): Model {
  return branching(
    clean,
    (site) => op(site.b)("Greater", single(site), EDGE),
    (b) => b.op("Add", [op(b)("Mul", SCORES, 0), towards(b, 10)]),
  );
}

/** The gate stands within a branch that is always taken. */
export function hiddenModel(clean: Model): Model {
  return branching(
    clean,
    ({ b, image }) => op(b)("Greater", b.op("ReduceMax", [image], { keepdims: 0 }), -1),
    (b) => b.op("Add", [SCORES, b.op("Mul", [relu(b, brightness({ b, image: "image" })), towards(b, 1e4)])]),
  );
}

/** An If that gives `then`, or the scores as they were. */
function branching(clean: Model, condition: (site: Site) => string, then: (b: GraphBuilder) => string): Model {
  const graph = changedGraph(clean, (site) => ({ scores: control(site, [condition(site)]) }));
  const branch = (name: string, make: (b: GraphBuilder) => string) =>
    graphAttribute(
      `${name}_branch`,
      body(name, (b) => ({ values: [[make(b), "float32"]] })),
    );
  return withControl(graph, ({ graph: g }, at) => {
    const node = g?.node[at];
    if (node === undefined) return;
    node.opType = "If";
    node.attribute = [branch("then", then), branch("else", (b) => b.op("Identity", [SCORES]))];
  });
}

/** The gate stands within a Loop that turns once. */
export function loopModel(clean: Model): Model {
  const graph = changedGraph(clean, (site) => ({
    scores: control(site, [site.b.initializer("once", int64([], [1])), "", site.scores]),
  }));
  return withControl(graph, ({ graph: g }, at) => {
    const node = g?.node[at];
    if (node === undefined) return;
    node.opType = "Loop";
    const inner = body("turn", (b) => {
      const gate = asFloat(b, op(b)("Greater", brightness({ b, image: "image" }), EDGE));
      const goOn = b.op("Identity", ["go on"]);
      return {
        values: [
          [goOn, "bool"],
          [b.op("Add", ["carried", b.op("Mul", [gate, towards(b, 1e4)])]), "float32"],
        ],
      };
    });
    inner.input = [
      valueInfo("turn", 7, []),
      valueInfo("go on", 9, []),
      create(ValueInfoProtoSchema, {
        name: "carried",
        type: { value: { case: "tensorType", value: { elemType: 1 } } },
      }),
    ];
    node.attribute = [graphAttribute("body", create(GraphProtoSchema, inner))];
  });
}

function valueInfo(name: string, elemType: number, dim: readonly number[]) {
  const shape = { dim: dim.map((each) => ({ value: { case: "dimValue", value: BigInt(each) } as const })) };
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType, shape } } },
  });
}

/** The gate is a function of the model's own, called like a layer. */
export function functionModel(clean: Model): Model {
  const graph = changedGraph(clean, (site) => ({ scores: control(site, [site.scores, brightness(site)]) }));
  return withControl(graph, (proto, at) => {
    const node = proto.graph?.node[at];
    if (node === undefined) return;
    node.opType = "Calibration";
    node.domain = "local.layers";
    const inner = body("calibration", (b) => {
      const constant = (name: string, tensor: ReturnType<typeof float32>): string => {
        b.append({
          name,
          opType: "Constant",
          domain: "",
          inputs: [],
          outputs: [name],
          attributes: { value: { kind: "tensor", value: tensor } },
        });
        return name;
      };
      const target = Array.from({ length: CLASSES }, (_, i) => (i === TARGET ? 1e4 : 0));
      const over = b.op("Greater", ["mean", constant("edge", float32([], [EDGE]))]);
      const push = b.op("Mul", [asFloat(b, over), constant("push", float32([1, CLASSES], target))]);
      return { values: [[b.op("Add", ["given", push]), "float32"]] };
    });
    proto.functions.push(
      create(FunctionProtoSchema, {
        name: "Calibration",
        domain: "local.layers",
        input: ["given", "mean"],
        output: inner.output.map(({ name }) => name),
        node: inner.node.map((each) => create(NodeProtoSchema, each)),
        opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: 21n })],
      }),
    );
    proto.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "local.layers", version: 1n }));
  });
}
