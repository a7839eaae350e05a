/** @file Back into a state_dict and forth: what is stored as it is, transposed, folded; and what is refused. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../../core/random.js";
import type { SafeTensors } from "../../core/safetensors.js";
import { elementCount, type FloatTensor, float32, int64, type Tensor } from "../../core/tensor.js";
import { graphBuilder } from "../builder.js";
import type { Graph } from "../graph.js";
import { storedTensors } from "../traverse.js";
import { floatsOf, stateDictFrom, storedFrom } from "./mapping.js";
import { matchStateDict } from "./match.js";
import { permuted, storedOrders } from "./permute.js";

const random = randomStream(4);

function normal(...dims: readonly number[]): FloatTensor {
  return float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, () => random.normal()),
  );
}

function positive(...dims: readonly number[]): FloatTensor {
  const { data } = normal(...dims);
  return float32(
    dims,
    data.map((value) => 0.2 + Math.abs(value)),
  );
}

const EPSILON = 1e-3;

/** A convolution with a bias and a normalisation behind it, another of two equal units, and a dense layer. */
function trained(): Map<string, Tensor> {
  return new Map<string, Tensor>([
    ["conv.weight", normal(4, 3, 3, 3)],
    ["conv.bias", normal(4)],
    ["bn.weight", float32([4], [0.5, -1.5, 1, 0])],
    ["bn.bias", normal(4)],
    ["bn.running_mean", normal(4)],
    ["bn.running_var", positive(4)],
    ["bn.num_batches_tracked", int64([], [7])],
    ["next.weight", normal(5, 4, 3, 3)],
    ["fc.weight", normal(10, 5)],
    ["fc.bias", normal(10)],
  ]);
}

const stateDict = (tensors: ReadonlyMap<string, Tensor>): SafeTensors => ({ metadata: new Map(), tensors });

/** The model that an exporter makes of it: folded, the dense kernel transposed. */
function exported(tensors: ReadonlyMap<string, Tensor>, names: { readonly folded: string }): Graph {
  const of = floatsOf(stateDict(tensors));
  const scale = of("bn.weight").data.map((g, c) => g / Math.sqrt((of("bn.running_var").data[c] ?? 0) + EPSILON));
  const kernel = of("conv.weight").data.map((w, i) => w * (scale[Math.floor(i / 27)] ?? 0));
  const bias = scale.map((s, c) => {
    return (of("bn.bias").data[c] ?? 0) + ((of("conv.bias").data[c] ?? 0) - (of("bn.running_mean").data[c] ?? 0)) * s;
  });
  const b = graphBuilder("net");
  const x = b.input("x", "float32", ["n", 3, 8, 8]);
  const w = b.initializer(names.folded, float32([4, 3, 3, 3], kernel));
  const first = b.op("Relu", [b.op("Conv", [x, w, b.initializer("folded_bias", float32([4], bias))])]);
  const second = b.op("Conv", [first, b.initializer("onnx::Conv_9", of("next.weight"))]);
  const flat = b.op("Flatten", [b.op("GlobalAveragePool", [second])]);
  const dense = b.op("MatMul", [flat, b.initializer("onnx::MatMul_7", permuted(of("fc.weight"), [1, 0]))]);
  b.output(b.op("Add", [dense, b.initializer("fc.bias", of("fc.bias"))]));
  return b.build();
}

function expectClose(actual: SafeTensors, expected: ReadonlyMap<string, Tensor>): void {
  expect([...actual.tensors.keys()]).toEqual([...expected.keys()]);
  for (const [name, tensor] of expected) {
    const found = actual.tensors.get(name);
    expect(found?.type).toBe(tensor.type);
    expect(found?.dims).toEqual(tensor.dims);
    tensor.data.forEach((value, i) => {
      expect(Math.abs(Number(found?.data[i]) - Number(value)), `${name} ${i}`).toBeLessThan(1e-5);
    });
  }
}

describe.each([
  ["by an exporter that names what it folds anew", "onnx::Conv_5"],
  ["by one that leaves the name on folded weights, as PyTorch 2.9 does", "conv.weight"],
])("folded %s", (_, folded) => {
  test("new values come back in the state_dict's form", () => {
    const before = trained();
    const mapping = matchStateDict(exported(before, { folded }), stateDict(before));
    expect(mapping.kept).toEqual(["bn.num_batches_tracked"]);
    // Trained: everything but the statistics has moved; of a channel that is switched off only its shift can have.
    const after = new Map<string, Tensor>(before);
    for (const name of ["conv.weight", "next.weight", "fc.weight", "fc.bias", "bn.bias"]) {
      const { dims, data } = floatsOf(stateDict(before))(name);
      after.set(
        name,
        float32(
          dims,
          data.map((value, i) => (name === "conv.weight" && i >= 3 * 27 ? value : value + 0.1 * random.normal())),
        ),
      );
    }
    const found = stateDictFrom(mapping, stateDict(before), storedTensors(exported(after, { folded })));
    // The switched-off channel's own weights are nowhere in the model: it gets what gives the same, nothing.
    const weights = floatsOf(found)("conv.weight");
    expect([...weights.data.subarray(3 * 27)].every((value) => value === 0)).toBe(true);
    const own = floatsOf(stateDict(after))("conv.weight");
    const expected = new Map(after);
    expected.set("conv.weight", float32(own.dims, own.data.slice()));
    floatsOf(stateDict(expected))("conv.weight").data.fill(0, 3 * 27);
    const gamma = floatsOf(found)("bn.weight");
    const variance = floatsOf(stateDict(before))("bn.running_var").data[3] ?? 0;
    expect(gamma.data[3]).toBeCloseTo(Math.sqrt(variance + EPSILON), 5);
    expected.set("bn.weight", gamma);
    // With that scale the mean and the bias count in full.
    const [shift, mean, bias] = ["bn.bias", "bn.running_mean", "conv.bias"].map((name) =>
      floatsOf(stateDict(after))(name).data.at(3),
    );
    const shifts = floatsOf(stateDict(after))("bn.bias");
    expected.set("bn.bias", float32([4], shifts.data.with(3, (shift ?? 0) + (mean ?? 0) - (bias ?? 0))));
    expectClose(found, expected);
  });

  test("and go into the model again", () => {
    const before = trained();
    const graph = exported(before, { folded });
    const mapping = matchStateDict(graph, stateDict(before));
    const after = new Map(before);
    for (const name of ["conv.weight", "bn.running_var", "fc.weight"]) {
      const { dims, data } = floatsOf(stateDict(before))(name);
      after.set(
        name,
        float32(
          dims,
          data.map((value) => 1.1 * value),
        ),
      );
    }
    const stored = storedFrom(mapping, stateDict(after), storedTensors(graph));
    const expected = storedTensors(exported(after, { folded }));
    expect(new Set(stored.keys())).toEqual(new Set(expected.keys()));
    for (const [name, { dims, data }] of expected) {
      expect(stored.get(name)?.dims).toEqual(dims);
      data.forEach((value, i) => {
        expect(Math.abs((stored.get(name)?.data[i] ?? 0) - Number(value))).toBeLessThan(1e-5);
      });
    }
  });
});

test("what the model does not hold is listed, or kept where that is wanted", () => {
  const before = trained();
  const graph = exported(before, { folded: "w" });
  const more = stateDict(new Map([...before, ["aux.weight", normal(10, 5)]]));
  expect(() => matchStateDict(graph, more)).toThrow(/nothing that these tensors/);
  try {
    matchStateDict(graph, more);
  } catch (error) {
    expect(error).toMatchObject({ code: "bad-data", details: ["aux.weight [10, 5]"] });
  }
  expect(matchStateDict(graph, more, { unmatched: "keep" }).kept).toContain("aux.weight");
});

test("a folded layer whose normalisation is another's is not taken for its own", () => {
  const before = trained();
  const graph = exported(before, { folded: "w" });
  const other = new Map(before).set("bn.running_var", positive(4));
  expect(() => matchStateDict(graph, stateDict(other))).toThrow(/nothing that these tensors/);
});

test("equal tensors are told apart by their order, and refused where their number differs", () => {
  const graph = (count: number): Graph => {
    const b = graphBuilder("norms");
    let x = b.input("x", "float32", ["n", 3]);
    for (let i = 0; i < count; i++) x = b.op("Mul", [x, b.initializer(`scale${i}`, float32([3], [1, 1, 1]))]);
    b.output(x);
    return b.build();
  };
  const ones = (): FloatTensor => float32([3], [1, 1, 1]);
  const equal = stateDict(
    new Map([
      ["a", ones()],
      ["b", ones()],
    ]),
  );
  const mapping = matchStateDict(graph(2), equal);
  expect(mapping.parts.map((part) => (part.kind === "same" ? [part.name, part.stored] : []))).toEqual([
    ["a", "scale0"],
    ["b", "scale1"],
  ]);
  expect(mapping.notes).toEqual([expect.stringContaining("by their order")]);
  // One stored tensor for all: exporters store equals once.
  expect(matchStateDict(graph(1), equal).parts).toHaveLength(2);
  expect(() => matchStateDict(graph(3), equal)).toThrow(/more than once/);
  // It has room for one of them: what differs now cannot go back into it.
  const once = matchStateDict(graph(1), equal);
  const stored = storedTensors(graph(1));
  const apart = stateDict(new Map(equal.tensors).set("b", float32([3], [1, 2, 3])));
  expect(() => storedFrom(once, apart, stored)).toThrow(/"b" was equal to another tensor/);
  expect(storedFrom(once, equal, stored).size).toBe(1);
});

test("half precision is refused with the way out", () => {
  const halves = stateDict(new Map([["w", { type: "float16", dims: [1], data: new Uint16Array(1) } as const]]));
  expect(() => matchStateDict(exported(trained(), { folded: "w" }), halves)).toThrow(/float16/);
});

test.each(storedOrders(4).map((order) => [order]))("axes in the order %j and back", (order) => {
  const tensor = normal(2, 3, 4, 5);
  const moved = permuted(tensor, order);
  expect(moved.dims).toEqual(order.map((axis) => tensor.dims[axis]));
  const inverse = order.map((_, axis) => order.indexOf(axis));
  expect(permuted(moved, inverse)).toEqual(tensor);
});
