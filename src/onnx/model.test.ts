import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { float32, type Tensor } from "../core/tensor.js";
import { float, graphBuilder } from "./builder.js";
import { findClassifier } from "./classifier.js";
import { encodeGraph } from "./encode.js";
import type { Graph } from "./graph.js";
import { decodeModel, encodeModel, withMetadata, withWeights } from "./model.js";
import {
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
} from "./onnx_pb.js";
import { storedTensors } from "./traverse.js";

/** A graph with every kind of attribute and element type that the view knows. */
function variedGraph(): Graph {
  const b = graphBuilder("varied");
  const x = b.input("x", "float32", ["N", 2, undefined, 4]);
  const w = b.initializer("w", float32([3, 2, 1, 1], [1, 2, 3, -4, 5.5, 0.25]));
  const conv = b.op("Conv", [x, w, ""], { strides: [1, 1], auto_pad: "NOTSET" }, { name: "conv" });
  const leaky = b.op("LeakyRelu", [conv], { alpha: float(0.25) });
  const constant = b.op("Constant", [], { value: { kind: "tensor", value: float32([1, 3, 1, 1], [7, 8, 9]) } });
  const odd = b.op(
    "Odd",
    [leaky, constant],
    {
      floats: { kind: "floats", value: [0.5, -1] },
      strings: { kind: "strings", value: ["a", "ü"] },
      empty: { kind: "ints", value: [] },
      big: Number.MAX_SAFE_INTEGER,
    },
    { domain: "example.odd", name: "y" },
  );
  const tensors: Tensor[] = [
    { type: "float64", dims: [2], data: Float64Array.of(Math.PI, -0) },
    { type: "int8", dims: [2], data: Int8Array.of(-128, 127) },
    { type: "int16", dims: [1], data: Int16Array.of(-300) },
    { type: "int32", dims: [], data: Int32Array.of(-70000) },
    { type: "int64", dims: [1], data: BigInt64Array.of(-(2n ** 63n)) },
    { type: "uint8", dims: [3], data: Uint8Array.of(0, 1, 255) },
    { type: "uint16", dims: [1], data: Uint16Array.of(65535) },
    { type: "uint32", dims: [1], data: Uint32Array.of(2 ** 32 - 1) },
    { type: "uint64", dims: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
    { type: "bool", dims: [2], data: Uint8Array.of(1, 0) },
    { type: "float32", dims: [0, 5], data: new Float32Array() },
  ];
  for (const tensor of tensors) b.initializer(`stored ${tensor.type}`, tensor);
  b.output(odd, "float32", ["N", 3]);
  return b.build();
}

const unknownField = (number: number, text: string): Uint8Array =>
  new BinaryWriter().tag(number, WireType.LengthDelimited).string(text).finish();

/** A small valid model, changed before it is written. */
function modelBytes(change: (proto: ModelProto) => void = () => {}): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, encodeGraph(variedGraph(), { properties: { first: "1", second: "2" } }));
  change(proto);
  return toBinary(ModelProtoSchema, proto);
}

function errorOf(work: () => unknown): WildmarkError {
  try {
    work();
  } catch (error) {
    if (error instanceof WildmarkError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

const errorFrom = (change: (proto: ModelProto) => void): WildmarkError =>
  errorOf(() => decodeModel(modelBytes(change), "m.onnx"));

test("a built graph, encoded and decoded, is the same graph", () => {
  const graph = variedGraph();
  const bytes = Buffer.from(encodeGraph(graph, { properties: { k: "v" } })); // as files are read: at any offset
  const { graph: decoded, metadata, origin } = decodeModel(bytes, "m.onnx");
  expect(decoded).toEqual(graph);
  expect(metadata).toEqual(new Map([["k", "v"]]));
  expect(origin).toEqual({ irVersion: 10, producer: "wildmark" });
});

test("writing what was read gives the same bytes, whatever their order and unknown fields", () => {
  const plain = modelBytes();
  const odd = new Uint8Array([...unknownField(900, "before"), ...plain, ...unknownField(901, "after")]);
  expect(encodeModel(decodeModel(odd, "m.onnx"))).toEqual(odd);
});

test("typed data of every element type is read like raw data", () => {
  const typed: MessageInitShape<typeof TensorProtoSchema>[] = [
    { dataType: DataType.FLOAT, floatData: [1.5, -2] },
    { dataType: DataType.DOUBLE, doubleData: [Math.PI, 1] },
    { dataType: DataType.INT8, int32Data: [-128, 127] },
    { dataType: DataType.INT16, int32Data: [-300, 300] },
    { dataType: DataType.INT32, int32Data: [-70000, 1] },
    { dataType: DataType.INT64, int64Data: [-(2n ** 63n), 1n] },
    { dataType: DataType.UINT8, int32Data: [255, 0] },
    { dataType: DataType.UINT16, int32Data: [65535, 0] },
    { dataType: DataType.UINT32, uint64Data: [2n ** 32n - 1n, 0n] },
    { dataType: DataType.UINT64, uint64Data: [2n ** 64n - 1n, 0n] },
    { dataType: DataType.BOOL, int32Data: [1, 0] },
  ];
  const bytes = modelBytes((proto) => {
    const tensors = typed.map((tensor, i) => create(TensorProtoSchema, { name: `t${i}`, dims: [2n], ...tensor }));
    proto.graph?.initializer.push(...tensors);
  });
  const { initializers } = decodeModel(bytes, "m.onnx").graph;
  expect(typed.map((_, i) => initializers.get(`t${i}`)?.data)).toEqual([
    Float32Array.of(1.5, -2),
    Float64Array.of(Math.PI, 1),
    Int8Array.of(-128, 127),
    Int16Array.of(-300, 300),
    Int32Array.of(-70000, 1),
    BigInt64Array.of(-(2n ** 63n), 1n),
    Uint8Array.of(255, 0),
    Uint16Array.of(65535, 0),
    Uint32Array.of(2 ** 32 - 1, 0),
    BigUint64Array.of(2n ** 64n - 1n, 0n),
    Uint8Array.of(1, 0),
  ]);
});

test("initialisers that are also inputs are not inputs of the view; nodes out of order are put in order", () => {
  const bytes = modelBytes((proto) => {
    proto.graph?.input.push({ ...(proto.graph.input[0] ?? fail()), name: "w" });
    proto.graph?.node.reverse();
    for (const node of proto.graph?.node ?? []) if (node.domain === "") node.domain = "ai.onnx";
  });
  const { graph } = decodeModel(bytes, "m.onnx");
  expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
  expect(graph.nodes.map(({ opType }) => opType)).toEqual(["Conv", "LeakyRelu", "Constant", "Odd"]);
  expect(graph.nodes.map(({ domain }) => domain)).toEqual(["", "", "", "example.odd"]);
});

test("a sub-graph counts as a reader of what it takes from outside, and is opaque in the view", () => {
  const bytes = modelBytes((proto) => {
    const inner = create(NodeProtoSchema, { opType: "Identity", input: ["conv"], output: ["inner"] });
    const branch = { name: "then", node: [inner], output: [{ name: "inner" }] };
    const node = { opType: "If", input: ["stored bool"], output: ["chosen"] };
    const attribute = [{ name: "then_branch", type: AttributeType.GRAPH, g: branch }];
    proto.graph?.node.unshift(create(NodeProtoSchema, { ...node, attribute }));
  });
  const { nodes } = decodeModel(bytes, "m.onnx").graph;
  expect(nodes.map(({ opType }) => opType).slice(0, 2)).toEqual(["Conv", "If"]);
  expect(nodes[1]?.attributes).toEqual({ then_branch: { kind: "opaque", what: "graph" } });
});

test("new weights change their own data and nothing else, raw and typed and in Constant nodes", () => {
  const bytes = modelBytes((proto) => {
    const typed = { name: "typed", dataType: DataType.FLOAT, dims: [2n], floatData: [1, 2], docString: "kept" };
    proto.graph?.initializer.unshift(create(TensorProtoSchema, typed));
    const [first] = proto.graph?.initializer ?? [];
    if (first !== undefined)
      first.$unknown = [{ no: 77, wireType: WireType.LengthDelimited, data: Uint8Array.of(1, 9) }];
  });
  const before = decodeModel(bytes, "m.onnx");
  const weights = new Map<string, Tensor>([
    ["typed", float32([2], [3, 4])],
    ["w", float32([3, 2, 1, 1], [6, 5, 4, 3, 2, 1])],
    ["Constant", float32([1, 3, 1, 1], [0.5, 0.25, 0.125])],
  ]);
  const after = withWeights(before, weights);
  const stored = storedTensors(after.graph);
  for (const [name, tensor] of weights) expect(stored.get(name)).toEqual(tensor);

  // Same length, and every differing byte lies in one of the three pieces of data.
  const changed = encodeModel(after);
  expect(changed.length).toBe(bytes.length);
  const differing = bytes.reduce((count, byte, i) => count + (byte === changed[i] ? 0 : 1), 0);
  expect(differing).toBeGreaterThan(0);
  expect(differing).toBeLessThanOrEqual(4 * (2 + 6 + 3));
  expect(
    encodeModel(
      withWeights(
        after,
        new Map(
          [...weights.keys()].map((name) => {
            const old = storedTensors(before.graph).get(name);
            return [name, old ?? fail()];
          }),
        ),
      ),
    ),
  ).toEqual(bytes);

  const wrong = new Map([["w", float32([6], [1, 2, 3, 4, 5, 6])]]);
  expect(() => withWeights(before, wrong)).toThrow(/"w" is float32 \[3,2,1,1\], its replacement float32 \[6\]/);
  expect(() => withWeights(before, new Map([["nowhere", float32([], [1])]]))).toThrow(/stores no tensor "nowhere"/);
});

test("weights that were given one array are told apart when they change again", () => {
  const b = graphBuilder("twins");
  const [one = "", other = ""] = ["one", "other"].map((name) => b.initializer(name, float32([2], [0, 0])));
  b.output(b.op("Add", [b.input("x", "float32", [2]), b.op("Add", [one, other])]), "float32", [2]);
  const shared = float32([2], [1, 2]);
  const model = decodeModel(encodeGraph(b.build()), "m.onnx");
  const both = withWeights(model, new Map([one, other].map((name) => [name, shared])));
  const changed = withWeights(both, new Map([[other, float32([2], [3, 4])]]));
  expect(changed.graph.initializers.get(one)).toEqual(shared);
  expect(decodeModel(encodeModel(changed), "m.onnx")).toEqual(changed);
  expect(encodeModel(model)).toEqual(encodeGraph(b.build()));
});

test("metadata is kept, changed in place and added at the end", () => {
  const before = decodeModel(modelBytes(), "m.onnx");
  const after = withMetadata(
    before,
    new Map([
      ["first", "one"],
      ["third", "ünï"],
    ]),
  );
  expect([...after.metadata]).toEqual([
    ["first", "one"],
    ["second", "2"],
    ["third", "ünï"],
  ]);
  expect(decodeModel(encodeModel(after), "m.onnx")).toEqual(after);
});

test.each([
  ["an empty file", new Uint8Array(), /^m\.onnx: The file is empty/],
  ["a PNG", Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13]), /A PNG image, not an ONNX/],
  ["a ZIP", Buffer.from("PK\x03\x04 model.pt"), /A ZIP archive/],
  ["an HTML page", Buffer.from("<!DOCTYPE html><p>404"), /A web page/],
  ["a Git LFS pointer", Buffer.from("version https://git-lfs.github.com/spec/v1\noid"), /A Git LFS pointer/],
  ["plain text", Buffer.from("hello, this is no model"), /No ONNX model/],
  ["zeros", new Uint8Array(64), /No ONNX model/],
  ["a truncated model", modelBytes().subarray(0, 200), /No ONNX model, or a damaged one/],
])("%s is a bad file, with a hint", (_, bytes, message) => {
  const error = errorOf(() => decodeModel(bytes, "m.onnx"));
  expect(error.code).toBe("bad-file");
  expect(error.message).toMatch(message);
  if (bytes.length > 0) expect(error.hint).toBeDefined();
});

test("a graph that is not whole is a bad model, naming what is wrong", () => {
  const cases: [(proto: ModelProto) => void, RegExp][] = [
    [(proto) => delete proto.graph, /holds no graph/],
    [(proto) => proto.graph?.node.splice(0), /has no nodes/],
    [(proto) => proto.graph?.node.shift(), /reads "conv", which nothing computes/],
    [(proto) => proto.graph?.node.push(proto.graph.node[0] ?? fail()), /computes "conv" twice/],
    [(proto) => proto.graph?.initializer.push(proto.graph.initializer[0] ?? fail()), /two initialisers named "w"/],
    [(proto) => proto.graph?.output.push({ ...(proto.graph.output[0] ?? fail()), name: "z" }), /output "z"/],
    [
      (proto) => {
        const [conv] = proto.graph?.node ?? [];
        if (conv !== undefined) conv.input = ["y", "w"];
      },
      /runs in a circle through/,
    ],
    [
      (proto) => {
        const [w] = proto.graph?.initializer ?? [];
        if (w !== undefined) w.dataType = DataType.STRING;
      },
      /Initialiser "w" holds string elements; expected numbers/,
    ],
  ];
  for (const [change, message] of cases) {
    const error = errorFrom(change);
    expect(error.code).toBe("bad-model");
    expect(error.message).toMatch(message);
  }
});

test("a tensor that claims more than it holds is refused by its name, and nothing is allocated for it", () => {
  const claim = (dims: bigint[]) => (proto: ModelProto) => {
    const [w] = proto.graph?.initializer ?? [];
    if (w !== undefined) w.dims = dims;
  };
  const memory = process.memoryUsage().arrayBuffers;
  const huge = errorFrom(claim([1n << 40n]));
  expect(process.memoryUsage().arrayBuffers - memory).toBeLessThan(1e7);
  expect(huge.code).toBe("bad-file");
  expect(huge.message).toMatch(/Initialiser "w" claims 1099511627776 float32 elements .* holds 24 bytes/);
  expect(errorFrom(claim([3n])).message).toMatch(/claims 3 float32 elements \[3\] \(12 bytes\) but holds 24 bytes/);
  expect(errorFrom(claim([-1n, 6n])).message).toMatch(/impossible shape \[-1,6\]/);
  expect(errorFrom(claim([1n << 60n, 1n << 60n])).message).toMatch(/impossible shape/);
});

test("a chain of twenty thousand nodes, in reverse order, needs no deep stack", () => {
  const bytes = modelBytes((proto) => {
    const chain = Array.from({ length: 2e4 }, (_, i) =>
      create(NodeProtoSchema, { opType: "Neg", input: [i === 0 ? "x" : `v${i}`], output: [`v${i + 1}`] }),
    );
    proto.graph?.node.push(...chain.reverse());
  });
  expect(decodeModel(bytes, "m.onnx").graph.nodes).toHaveLength(2e4 + 4);
});

test("int attributes beyond 2^53 mean 'to the end'", () => {
  const bytes = modelBytes((proto) => {
    const ends = { name: "ends", type: AttributeType.INTS, ints: [2n ** 63n - 1n] };
    proto.graph?.node.push(
      create(NodeProtoSchema, { opType: "Slice", input: ["x"], output: ["s"], attribute: [ends] }),
    );
  });
  const { graph } = decodeModel(bytes, "m.onnx");
  expect(graph.nodes.at(-1)?.attributes.ends).toEqual({ kind: "ints", value: [Number.MAX_SAFE_INTEGER] });
  expect(() => encodeGraph(graph)).not.toThrow();
});

const folder = process.env.WILDMARK_MODELS ?? "";
const models = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".onnx")) : [];

test.skipIf(models.length === 0).each(models)("%s: read and written byte for byte, also after new weights", (file) => {
  const bytes = readFileSync(join(folder, file));
  const model = decodeModel(bytes, file);
  expect(Buffer.compare(encodeModel(model), bytes)).toBe(0);
  const stored = storedTensors(model.graph);
  const { trainable } = findClassifier(model.graph);
  const same = new Map(trainable.map((name) => [name, stored.get(name) ?? fail()]));
  expect(Buffer.compare(encodeModel(withWeights(model, same)), bytes)).toBe(0);
});

function fail(): never {
  throw new Error("the test's own model lacks something");
}
