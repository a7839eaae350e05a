import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { elementCount, float32, int64, type Tensor, toNumbers } from "../core/tensor.js";
import { createSession } from "../runtime/session.js";
import { float, type GraphBuilder, graphBuilder } from "./builder.js";
import { canonicalGraph } from "./canonical.js";
import { findClassifier } from "./classifier.js";
import type { Attribute, Graph } from "./graph.js";
import { decodeModel } from "./model.js";

/** Numbers between -2 and 2 without an obvious pattern. */
function wavy(dims: readonly number[]): Tensor {
  return float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, (_, i) => 2 * Math.sin(i * 12.9898 + 1)),
  );
}

async function outputsOf(model: Graph | Uint8Array, feeds: ReadonlyMap<string, Tensor>): Promise<Tensor[]> {
  const session = await createSession(model, { threads: 1 });
  try {
    return [...(await session.run(feeds)).values()];
  } finally {
    await session.release();
  }
}

const floats = (...value: number[]): Attribute => ({ kind: "floats", value });

type Body = (b: GraphBuilder, x: string) => string | readonly string[];

function graphIn(opset: number, dims: readonly number[], body: Body, rank?: "rank unknown"): Graph {
  const b = graphBuilder("old", { opset });
  const results = body(b, b.input("x", "float32", dims));
  for (const name of typeof results === "string" ? [results] : results) b.output(name);
  const graph = b.build();
  return rank === undefined
    ? graph
    : { ...graph, inputs: graph.inputs.map((input) => ({ ...input, dims: undefined })) };
}

const image = [2, 4, 6, 6];

type Case = readonly [
  what: string,
  opset: number,
  dims: readonly number[],
  body: Body,
  rank?: "rank unknown" | undefined,
];

/** Each old form, with an input where old and new meaning differ. */
const cases: readonly Case[] = [
  ["Squeeze", 11, [2, 1, 3, 1], (b, x) => b.op("Squeeze", [x], { axes: [1, -1] })],
  ["Squeeze without axes", 7, [2, 1, 3, 1], (b, x) => b.op("Squeeze", [x])],
  ["Unsqueeze", 7, [2, 3], (b, x) => b.op("Unsqueeze", [x], { axes: [0, 3] })],
  ["ReduceSum", 11, image, (b, x) => b.op("ReduceSum", [x], { axes: [2, -1], keepdims: 0 })],
  ["ReduceSum of all", 7, image, (b, x) => b.op("ReduceSum", [x], { keepdims: 0 })],
  ...["L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"].map(
    (kind) =>
      [
        `Reduce${kind}`,
        kind === "Max" ? 12 : 13,
        image,
        (b: GraphBuilder, x: string) => b.op(`Reduce${kind}`, [x], { axes: [1, 3] }),
      ] as const,
  ),
  [
    "Slice",
    9,
    image,
    (b, x) => b.op("Slice", [x], { starts: [1, -4], ends: [Number.MAX_SAFE_INTEGER, -1], axes: [1, 3] }),
  ],
  ["Slice without axes", 7, image, (b, x) => b.op("Slice", [x], { starts: [0, 1], ends: [1, 3] })],
  ["Pad with a value", 10, [2, 3], (b, x) => b.op("Pad", [x], { pads: [0, 1, 2, 0], value: float(-3) })],
  ["Pad by reflection", 7, [4, 5], (b, x) => b.op("Pad", [x], { pads: [1, 2, 0, 1], mode: "reflect" })],
  ["Clip", 10, image, (b, x) => b.op("Clip", [x], { min: float(-0.5), max: float(1) })],
  ["Clip above only", 7, image, (b, x) => b.op("Clip", [x], { max: float(1) })],
  ["Clip below only", 7, image, (b, x) => b.op("Clip", [x], { min: float(0) })],
  ["TopK", 9, [3, 5], (b, x) => b.ops("TopK", [x], 2, { k: 2, axis: 1 })[0] ?? ""],
  ["Split by lengths", 11, image, (b, x) => b.ops("Split", [x], 2, { axis: 1, split: [3, 1] })],
  ["Split evenly", 7, image, (b, x) => b.ops("Split", [x], 2, { axis: 3 })],
  ["Split evenly", 13, image, (b, x) => b.ops("Split", [x], 3, { axis: 2 })],
  ["Split by lengths as an input", 13, image, (b, x) => b.ops("Split", [x, b.ints([1, 3])], 2, { axis: 1 })],
  ["Dropout", 7, image, (b, x) => b.op("Dropout", [x], { ratio: float(0.9) })],
  ["Dropout with an unread mask", 10, image, (b, x) => b.ops("Dropout", [x], 2)[0] ?? ""],
  ...[7, 8, 9, 13].map((opset) => ["BatchNormalization", opset, image, batchNormalization] as const),
  ["Softmax of rows", 7, [3, 5], (b, x) => b.op("Softmax", [x])],
  ["Softmax of rows of unknown rank", 7, [3, 5], (b, x) => b.op("Softmax", [x]), "rank unknown"],
  ["Softmax over all but the batch", 9, [2, 3, 4], (b, x) => b.op("Softmax", [x])],
  ["Softmax over all but the batch", 9, [2, 3, 4], (b, x) => b.op("Softmax", [x], { axis: 1 }), "rank unknown"],
  ["Softmax over the last axis", 12, [2, 3, 4], (b, x) => b.op("Softmax", [x], { axis: -1 }), "rank unknown"],
  ["Softmax from axis -2", 11, [2, 3, 4], (b, x) => b.op("Softmax", [x], { axis: -2 })],
  ["LogSoftmax", 11, [2, 3, 4], (b, x) => b.op("LogSoftmax", [x], { axis: 2 })],
  ["LogSoftmax over all but the batch", 7, [2, 3, 4], (b, x) => b.op("LogSoftmax", [x])],
  [
    "Upsample, nearest, scales as an attribute",
    7,
    image,
    (b, x) => b.op("Upsample", [x], { scales: floats(1, 1, 2, 3) }),
  ],
  ["Upsample, linear", 9, image, (b, x) => b.op("Upsample", [x, scales(b, 1, 1, 2, 2)], { mode: "linear" })],
  ["Resize, nearest", 10, image, (b, x) => b.op("Resize", [x, scales(b, 1, 1, 1.5, 0.5)])],
  ["Resize, linear", 10, image, (b, x) => b.op("Resize", [x, scales(b, 1, 1, 2, 1.5)], { mode: "linear" })],
  [
    "Scatter",
    10,
    [3, 3],
    (b, x) =>
      b.op("Scatter", [x, b.initializer("i", int64([1, 2], [2, 0])), b.initializer("u", float32([1, 2], [7, 8]))]),
  ],
  [
    "Constant nodes",
    12,
    [2, 3],
    (b, x) =>
      b.op("Add", [
        b.op("Mul", [x, b.op("Constant", [], { value_float: float(3) })]),
        b.op("Constant", [], { value_floats: floats(1, 2, 3) }),
      ]),
  ],
  ["Constant lengths", 13, [2, 3], (b, x) => b.op("Reshape", [x, b.op("Constant", [], { value_ints: [3, -1] })])],
  ["nothing old", 21, image, (b, x) => b.op("ReduceMean", [b.op("Clip", [x, b.scalar(0)]), b.ints([1])])],
  ["nothing old, newer", 23, image, (b, x) => b.op("GlobalAveragePool", [b.op("HardSwish", [x])])],
];

function batchNormalization(b: GraphBuilder, x: string): string {
  const parameters = ["scale", "shift", "mean"].map((name, i) =>
    b.initializer(name, float32([4], [i + 1, -2, 0.5, 3])),
  );
  const variance = b.initializer("variance", float32([4], [1, 2, 3, 4]));
  return b.op("BatchNormalization", [x, ...parameters, variance], { epsilon: float(0.01) });
}

function scales(b: GraphBuilder, ...values: number[]): string {
  return b.initializer("scales", float32([values.length], values));
}

for (const [what, opset, dims, body, rank] of cases) {
  test(`${what} of opset ${opset} computes the same`, async () => {
    const old = graphIn(opset, dims, body, rank);
    const canonical = canonicalGraph(old);
    expect(canonical.opsets.get("")).toBe(Math.max(opset, 21));
    expect(canonical.nodes.some(({ opType }) => opType === "Constant")).toBe(false);
    const feeds = new Map([["x", wavy(dims)]]);
    // Bit for bit: ONNX Runtime has one kernel for both forms.
    expect(await outputsOf(canonical, feeds)).toEqual(await outputsOf(old, feeds));
  });
}

test("a softmax over the last axis needs no reshaping where the rank can be told", () => {
  const body: Body = (b, x) => {
    const gemm = b.op("MatMul", [b.op("Flatten", [x]), b.initializer("w", wavy([144, 3]))]);
    return b.op("Softmax", [b.op("Add", [gemm, b.initializer("b", wavy([3]))])]);
  };
  const { nodes } = canonicalGraph(graphIn(9, image, body));
  expect(nodes.map(({ opType }) => opType)).toEqual(["Flatten", "MatMul", "Add", "Softmax"]);
});

test("what has no equivalent today is refused, naming the node", () => {
  const messageOf = (graph: Graph): string => {
    try {
      canonicalGraph(graph);
    } catch (error) {
      if (error instanceof WildmarkError && error.code === "bad-model") return error.message;
      throw error;
    }
    return "no error";
  };
  const relu: Body = (b, x) => b.op("Relu", [x]);
  expect(messageOf(graphIn(6, image, relu))).toMatch(/opset 6; Wildmark takes opsets 7 to/);
  expect(messageOf(graphIn(99, image, relu))).toMatch(/opset 99/);
  expect(messageOf({ ...graphIn(9, image, relu), opsets: new Map() })).toMatch(/does not say/);
  expect(messageOf(graphIn(16, image, (b, x) => b.op("GridSample", [x])))).toMatch(/since opset 20/);
  expect(messageOf(graphIn(7, image, (b, x) => b.op("BatchNormalization", [x], { spatial: 0 })))).toMatch(
    /spatial = 0/,
  );
  expect(messageOf(graphIn(9, image, (b, x) => b.ops("BatchNormalization", [x], 5)))).toMatch(/training mode/);
  expect(messageOf(graphIn(7, image, (b, x) => b.ops("Dropout", [x], 2)))).toMatch(/its mask is read/);
  const opaque: Attribute = { kind: "opaque", what: "graph" };
  expect(messageOf(graphIn(13, image, (b, x) => b.op("If", [x], { then_branch: opaque })))).toMatch(/holds a graph/);
  expect(messageOf(graphIn(13, image, (b) => b.op("Constant", [], { value_string: "a" })))).toMatch(
    /holds value_string/,
  );
});

const folder = process.env.WILDMARK_MODELS ?? "";
const models = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".onnx")) : [];

test.skipIf(models.length === 0).each(models)("%s computes the same in its canonical form", async (file) => {
  const bytes = readFileSync(join(folder, file));
  const { graph } = decodeModel(bytes, file);
  const canonical = canonicalGraph(graph);
  const { input, ...found } = findClassifier(graph);
  expect(findClassifier(canonical)).toEqual({ input, ...found });
  const dims = (input.dims ?? []).map((dim, axis) => (typeof dim === "number" ? dim : axis === 0 ? 1 : fail()));
  const feeds = new Map([[input.name, wavy(dims)]]);
  expect(await outputsOf(canonical, feeds)).toEqual(await outputsOf(bytes, feeds));
});

function fail(): never {
  throw new Error("the input has no fixed size");
}

test("GroupNormalization with weights a group", async () => {
  const graph = graphIn(18, image, (b, x) => {
    const [scale, bias] = [float32([2], [0.5, 2]), float32([2], [-1, 3])];
    const weights = [b.initializer("scale", scale), b.initializer("bias", bias)];
    return b.op("GroupNormalization", [x, ...weights], { num_groups: 2, epsilon: float(0.01) });
  });
  const feeds = new Map([["x", wavy(image)]]);
  const [[then], [now]] = [await outputsOf(graph, feeds), await outputsOf(canonicalGraph(graph), feeds)];
  if (then === undefined || now === undefined) throw new Error("no output");
  expect(now.dims).toEqual(then.dims);
  // Another kernel, which sums in another order: a few units in the last place of numbers up to 6.
  toNumbers(then).forEach((value, i) => {
    expect(toNumbers(now)[i]).toBeCloseTo(value, 5);
  });
});
