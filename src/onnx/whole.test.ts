/** @file Bodies of If and Loop stand among the other nodes, and what can run gives what the file gives. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { float32, type Tensor } from "../core/tensor.js";
import { createSession } from "../runtime/session.js";
import { graphBuilder } from "./builder.js";
import { encodeGraph, graphToProto } from "./encode.js";
import { decodeModel, encodeModel, type Model } from "./model.js";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
} from "./onnx_pb.js";
import { wholeGraph } from "./whole.js";

/** A graph that reads values around it, and makes `value`. */
function body(value: string, steps: readonly (readonly [string, readonly string[], string])[]): GraphProto {
  const b = graphBuilder(value);
  for (const [opType, inputs, output] of steps) {
    b.append({ name: `node ${output}`, opType, domain: "", inputs, outputs: [output], attributes: {} });
  }
  b.output(value, "float32");
  const { graph } = graphToProto(b.build());
  if (graph === undefined) throw new Error("no graph");
  return graph;
}

const branch = (name: string, g: GraphProto) => create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g });

function withIf(proto: ModelProto, name: string, yes: GraphProto, no: GraphProto): void {
  for (const node of proto.graph?.node ?? []) {
    if (node.name !== name) continue;
    node.opType = "If";
    node.attribute = [branch("then_branch", yes), branch("else_branch", no)];
  }
}

/** x · 2 where the sum of x is above 1, else −x, or |x| where it is above 0; every branch calls its value `made`. */
function nested(): Model {
  const b = graphBuilder("nested");
  const x = b.input("x", "float32", ["batch", 2]);
  const sum = b.op("ReduceSum", [x], { keepdims: 0 }, { name: "sum" });
  b.op("Greater", [sum, b.scalar(1)], {}, { name: "much" });
  b.op("Greater", [sum, b.scalar(0)], {}, { name: "some" });
  b.append({ name: "if", opType: "If", domain: "", inputs: ["much"], outputs: ["y"], attributes: {} });
  b.output("y", "float32", ["batch", 2]);
  const proto = fromBinary(ModelProtoSchema, encodeGraph(b.build()));
  const no = body("made", [["If", ["some"], "made"]]);
  const [inner] = no.node;
  if (inner !== undefined) {
    inner.attribute = [
      branch("then_branch", body("made inside", [["Abs", ["x"], "made inside"]])),
      branch("else_branch", body("made inside", [["Neg", ["x"], "made inside"]])),
    ];
  }
  withIf(proto, "if", body("made", [["Add", ["x", "x"], "made"]]), no);
  return decodeModel(toBinary(ModelProtoSchema, proto), "nested");
}

async function answer(bytes: Uint8Array, x: Tensor): Promise<readonly number[]> {
  const session = await createSession(bytes);
  const y = (await session.run(new Map([["x", x]]))).get("y");
  await session.release();
  return Array.from(y?.data ?? [], Number);
}

test("an If that an image decides, and one within it, are written out; the answers stay", async () => {
  const model = nested();
  const { proto, graph, inner } = wholeGraph(model);
  expect(graph.nodes.map(({ opType }) => opType).toSorted()).toEqual(
    ["ReduceSum", "Greater", "Greater", "Add", "Abs", "Neg", "Where", "Where"].toSorted(),
  );
  expect(inner.size).toBe(0);
  const written = toBinary(ModelProtoSchema, proto);
  for (const values of [
    [3, 1],
    [2, -1.5],
    [-2, 1],
  ]) {
    const x = float32([1, 2], values);
    expect(await answer(written, x)).toEqual(await answer(encodeModel(model), x));
  }
});

test("an If that a shape decides stays, and its branches are seen", () => {
  const b = graphBuilder("shapes");
  const x = b.input("x", "float32", ["batch", 2]);
  const rows = b.op("Slice", [b.op("Shape", [x]), b.ints([0]), b.ints([1])]);
  b.op("Equal", [rows, b.ints([1])], {}, { name: "one" });
  b.append({ name: "if", opType: "If", domain: "", inputs: ["one"], outputs: ["y"], attributes: {} });
  b.output("y", "float32", ["batch", 2]);
  const proto = fromBinary(ModelProtoSchema, encodeGraph(b.build()));
  withIf(proto, "if", body("made", [["Abs", ["x"], "made"]]), body("made", [["Neg", ["x"], "made"]]));
  const whole = wholeGraph(decodeModel(toBinary(ModelProtoSchema, proto), "shapes"));
  expect(whole.proto.graph?.node.some(({ opType }) => opType === "If")).toBe(true);
  const reads = whole.graph.nodes.find(({ opType }) => opType === "If")?.inputs;
  expect(reads).toEqual(["one", "made", "made_1"]);
  expect([...whole.inner].toSorted()).toEqual(["made", "made_1"]);
});

test("a branch that is missing is said", () => {
  const model = nested();
  const proto = fromBinary(ModelProtoSchema, encodeModel(model));
  for (const node of proto.graph?.node ?? []) if (node.opType === "If") node.attribute = node.attribute.slice(0, 1);
  const broken = decodeModel(toBinary(ModelProtoSchema, proto), "broken");
  expect(() => wholeGraph(broken)).toThrow(/lacks a branch/);
});
