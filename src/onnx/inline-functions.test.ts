/** @file A model with functions of its own computes the same, and trains, once they are written out. */

import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { createSession } from "../runtime/session.js";
import { graphBuilder } from "./builder.js";
import { findClassifier } from "./classifier.js";
import { graphToProto } from "./encode.js";
import { decodeModel, encodeModel, type Model } from "./model.js";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type FunctionProto,
  FunctionProtoSchema,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  ValueInfoProtoSchema,
} from "./onnx_pb.js";

const node = (opType: string, input: string[], output: string[], domain = "", attribute: object[] = []) =>
  create(NodeProtoSchema, {
    ...{ opType, input, output, domain, name: `${opType} of ${output[0]}` },
    attribute: attribute.map((each) => create(AttributeProtoSchema, each)),
  });

/** y = LeakyRelu(x · w + b) with the caller's slope. */
const block = (): FunctionProto =>
  create(FunctionProtoSchema, {
    ...{ name: "Block", domain: "own", input: ["x", "w", "b"], output: ["y", "same"], attribute: ["slope"] },
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: 21n })],
    node: [
      node("MatMul", ["x", "w"], ["h"]),
      node("Add", ["h", "b"], ["s"]),
      node("LeakyRelu", ["s"], ["y"], "", [{ name: "alpha", type: AttributeType.FLOAT, refAttrName: "slope" }]),
      node("Identity", ["x"], ["x_unused"]),
      node("Identity", ["y"], ["same"]),
    ],
  });

/** Two blocks, one after the other, the second within a function that calls the first. */
function withFunctions(change: (proto: ModelProto) => void = () => undefined): Uint8Array {
  const b = graphBuilder("m");
  b.input("x", "float32", ["N", 2]);
  for (const name of ["w1", "w2"]) b.initializer(name, float32([2, 2], name === "w1" ? [1, -2, 3, 1] : [-1, 1, 2, 2]));
  b.initializer("b1", float32([2], [0.5, -0.5]));
  b.output("scores", "float32", ["N", 2]);
  const proto = graphToProto(b.build());
  proto.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "own", version: 1n }));
  proto.functions = [
    block(),
    create(FunctionProtoSchema, {
      ...{ name: "Outer", domain: "own", input: ["h", "w", "b"], output: ["out"] },
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: "own", version: 1n })],
      node: [
        node("Block", ["h", "w", "b"], ["out", "twin"], "own", [{ name: "slope", type: AttributeType.FLOAT, f: 0.5 }]),
      ],
    }),
  ];
  proto.graph?.node.push(
    node("Block", ["x", "w1", "b1"], ["h", "h_twin"], "own", [{ name: "slope", type: AttributeType.FLOAT, f: 0.25 }]),
    node("Outer", ["h", "w2", "b1"], ["scores"], "own"),
  );
  change(proto);
  return toBinary(ModelProtoSchema, proto);
}

async function scoresOf(bytes: Uint8Array): Promise<number[]> {
  const session = await createSession(bytes);
  const scores = (await session.run(new Map([["x", float32([2, 2], [1, 2, -3, 1])]]))).get("scores");
  await session.release();
  return Array.from(scores?.data ?? [], Number);
}

const operators = ({ graph }: Model): string[] => graph.nodes.map(({ opType, domain }) => domain + opType);

test(
  "calls become the function's nodes, within each other too, and compute what ONNX Runtime " + "makes of them",
  async () => {
    const file = withFunctions();
    const model = decodeModel(file, "f.onnx");
    expect(operators(model).sort()).toEqual([
      ..."Add Add Identity Identity Identity Identity LeakyRelu LeakyRelu MatMul MatMul".split(" "),
    ]);
    expect(model.notes).toEqual([expect.stringMatching(/f\.onnx calls functions of its own \(3 times\)/)]);
    expect([...model.graph.opsets.keys()]).toEqual([""]);
    const scores = await scoresOf(encodeModel(model));
    expect(scores).toEqual(await scoresOf(file));
    // By hand, image [1, 2]: h = [7.5, -0.5] → [7.5, -0.125]; [-7.75 + 0.5, 7.25 - 0.5] → [-3.625, 6.75]
    expect(scores.slice(0, 2)).toEqual([-3.625, 6.75]);
    expect(decodeModel(encodeModel(model), "again").notes).toEqual([]);
  },
);

test("weights keep their names, and what is called twice has its values twice", () => {
  const { graph } = decodeModel(withFunctions(), "f.onnx");
  expect(findClassifier(graph)).toMatchObject({ trainable: ["w1", "b1", "w2"] });
  const made = graph.nodes.flatMap(({ outputs }) => outputs);
  expect(new Set(made).size).toBe(made.length);
  expect(made).toContain("Block of h/s");
});

test("an output that is an input is handed on", async () => {
  const handing = decodeModel(
    withFunctions(({ functions: [called] }) => {
      if (called === undefined) return;
      called.node = [];
      called.output = ["x", "x"];
    }),
    "f.onnx",
  );
  expect(operators(handing)).toEqual(["Identity", "Identity", "Identity", "Identity"]);
  expect(await scoresOf(encodeModel(handing))).toEqual([1, 2, -3, 1]);
});

/** A field that is newer than the format which the decoder was made from. */
const newer = (no: number, payload: Uint8Array) => ({
  ...{ no, wireType: WireType.LengthDelimited },
  data: new BinaryWriter().bytes(payload).finish(),
});

test("an attribute's default counts where the call leaves it out", async () => {
  const slope = create(AttributeProtoSchema, { name: "slope", type: AttributeType.FLOAT, f: 0.25 });
  const file = withFunctions(({ functions: [called], graph }) => {
    if (called === undefined) throw new Error("no function");
    called.attribute = [];
    called.$unknown = [newer(11, toBinary(AttributeProtoSchema, slope))];
    for (const each of graph?.node ?? []) each.attribute = [];
  });
  expect(await scoresOf(encodeModel(decodeModel(file, "f.onnx")))).toEqual(await scoresOf(withFunctions()));
});

test("overloads of a name are told apart", async () => {
  const text = new TextEncoder().encode("leaky");
  const file = withFunctions(({ functions, graph }) => {
    const [called] = functions;
    if (called === undefined) throw new Error("no function");
    called.$unknown = [newer(13, text)];
    const other = block();
    other.node = [node("Sub", ["x", "x"], ["y"]), node("Identity", ["y"], ["same"])];
    functions.push(other);
    for (const each of [...(graph?.node ?? []), ...functions.flatMap((one) => one.node)]) {
      if (each.opType === "Block") each.$unknown = [newer(8, text)];
    }
  });
  expect(await scoresOf(encodeModel(decodeModel(file, "f.onnx")))).toEqual(await scoresOf(withFunctions()));
});

test("graphs within a function (If) read the function's values", async () => {
  const branch = (opType: string, output: string) =>
    create(GraphProtoSchema, {
      ...{ name: output, node: [node(opType, ["s"], [output])] },
      output: [create(ValueInfoProtoSchema, { name: output })],
    });
  const file = withFunctions(({ functions: [called] }) => {
    if (called === undefined) throw new Error("no function");
    const condition = [node("ReduceSum", ["s"], ["sum"], "", [{ name: "keepdims", type: AttributeType.INT, i: 0n }])];
    const is = (name: string, g: ReturnType<typeof branch>) => ({ name, type: AttributeType.GRAPH, g });
    const branches = [is("then_branch", branch("Abs", "a")), is("else_branch", branch("Neg", "n"))];
    called.attribute = [];
    called.node = [
      ...called.node.slice(0, 2),
      ...condition,
      node("Cast", ["sum"], ["any"], "", [{ name: "to", type: AttributeType.INT, i: 9n }]),
      node("If", ["any"], ["y"], "", branches),
      node("Identity", ["y"], ["same"]),
    ];
  });
  expect(await scoresOf(encodeModel(decodeModel(file, "f.onnx")))).toEqual(await scoresOf(file));
});

describe("what cannot be written out is refused", () => {
  const cases: Readonly<Record<string, readonly [(proto: ModelProto) => void, RegExp]>> = {
    "a function that calls itself": [
      ({ functions: [called] }) => called?.node.push(node("Block", ["x", "w", "b"], ["more"], "own")),
      /"own\.Block" calls itself/,
    ],
    "functions that blow up": [
      ({ functions, graph }) => {
        for (let level = 0; level < 6; level++) {
          const inner = level === 0 ? "Block" : `Level${level - 1}`;
          functions.push(
            create(FunctionProtoSchema, {
              ...{ name: `Level${level}`, domain: "own", input: ["x", "w", "b"], output: ["y0"] },
              node: Array.from({ length: 10 }, (_, i) => node(inner, ["x", "w", "b"], [`y${i}`], "own")),
            }),
          );
        }
        graph?.node.push(node("Level5", ["x", "w1", "b1"], ["many"], "own"));
      },
      /is called until the graph has more than 200000 nodes/,
    ],
    "another operator set, in which an operator means something else": [
      ({ functions: [called] }) => {
        if (called === undefined) return;
        called.opsetImport = [create(OperatorSetIdProtoSchema, { domain: "", version: 11n })];
        called.node.push(node("Softmax", ["y"], ["p"]));
      },
      /"own\.Block" is written in opset 11, the model in 21, and its Softmax changed/,
    ],
  };
  test.each(Object.entries(cases))("%s", (_, [change, message]) => {
    expect(() => decodeModel(withFunctions(change), "f.onnx")).toThrow(message);
  });
});
