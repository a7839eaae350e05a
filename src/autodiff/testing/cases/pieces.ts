/** @file Checks of the rules in `rules/pieces.ts`. */

import { type ElementType, elementCount, int64, type Tensor } from "../../../core/tensor.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

const vector = (values: readonly number[]): Tensor => int64([values.length], values);

interface SliceSpec {
  readonly dims: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes?: readonly number[];
  readonly steps?: readonly number[];
}

const END = Number.MAX_SAFE_INTEGER;
const BEGIN = Number.MIN_SAFE_INTEGER;

const slices: Readonly<Record<string, SliceSpec>> = {
  "the first axes": { dims: [4, 5, 2], starts: [1, 2], ends: [3, 4] },
  "an axis counted from the end, to the end": { dims: [2, 5], starts: [2], ends: [END], axes: [-1] },
  "places counted from the end": { dims: [6, 2], starts: [-4], ends: [-1], axes: [0] },
  "all of it": { dims: [3, 4], starts: [0, -4], ends: [END, 4] },
  "one element": { dims: [5, 3], starts: [3], ends: [4], axes: [0], steps: [7] },
  "steps that divide": { dims: [6, 4], starts: [0, 0], ends: [6, 4], axes: [0, 1], steps: [2, 2] },
  "steps that do not divide, on both sides": {
    dims: [8, 7, 2],
    starts: [1, 2],
    ends: [END, 6],
    axes: [0, 1],
    steps: [3, 2],
  },
  "steps up to the very last": { dims: [7], starts: [0], ends: [END], axes: [0], steps: [3] },
  "axes out of order, one strided": { dims: [4, 6], starts: [1, 0], ends: [5, 3], axes: [1, 0], steps: [2, 1] },
  reversed: { dims: [5, 3], starts: [-1], ends: [BEGIN], axes: [0], steps: [-1] },
  "backwards in steps": { dims: [2, 9], starts: [7], ends: [0], axes: [1], steps: [-3] },
  "backwards from beyond the end, and forwards": {
    dims: [6, 5],
    starts: [20, 1],
    ends: [1, 5],
    axes: [0, 1],
    steps: [-2, 2],
  },
  "one element backwards": { dims: [4], starts: [2], ends: [1], axes: [0], steps: [-1] },
};

const slice = (title: string, { dims, starts, ends, axes, steps }: SliceSpec): GradientCase =>
  gradientCase(title, {
    inputs: { x: { dims } },
    build: (g, { x }) => {
      const lists = [starts, ends, axes, steps].filter((list) => list !== undefined);
      return g.op("Slice", [x, ...lists.map((list, i) => g.initializer(`list${i}`, vector(list)))]);
    },
  });

function split(
  title: string,
  dims: readonly number[],
  axis: number,
  sizes: readonly number[],
  used: readonly number[],
) {
  return gradientCase(title, {
    inputs: { x: { dims } },
    build: (g, { x }) => {
      const parts = g.ops("Split", [x, g.initializer("sizes", vector(sizes))], sizes.length, { axis });
      return parts.filter((_, i) => used.includes(i));
    },
  });
}

function gather(
  title: string,
  dims: readonly number[],
  indices: Tensor,
  axis: number,
  operator = "Gather",
): GradientCase {
  return gradientCase(title, {
    inputs: { x: { dims } },
    build: (g, { x }) => g.op(operator, [x, g.initializer("indices", indices)], { axis }),
  });
}

function pad(dims: readonly number[], pads: readonly number[], axes?: readonly number[]): GradientCase {
  return gradientCase(`[${dims}] by ${pads.join(" ")}${axes === undefined ? "" : `, axes ${axes.join(" ")}`}`, {
    inputs: { x: { dims } },
    build: (g, { x }) =>
      g.op("Pad", [
        x,
        g.initializer("pads", vector(pads)),
        g.scalar(0.5),
        ...(axes === undefined ? [] : [g.initializer("axes", vector(axes))]),
      ]),
  });
}

const bools = (dims: readonly number[]): Tensor => ({
  type: "bool" satisfies ElementType,
  dims,
  data: Uint8Array.from({ length: elementCount(dims) }, (_, i) => ((i * i) % 3 === 0 ? 1 : 0)),
});

function where(
  condition: readonly number[],
  a: readonly number[],
  b: readonly number[],
  bChecked = true,
): GradientCase {
  return gradientCase(`[${condition}] ? [${a}] : [${b}]${bChecked ? "" : ", the latter not asked for"}`, {
    inputs: { a: { dims: a }, b: { dims: b, checked: bChecked } },
    build: (g, { a, b }) => g.op("Where", [g.initializer("condition", bools(condition)), a, b]),
  });
}

export const piecesCases: GradientCases = {
  Concat: [
    gradientCase("three along a middle axis", {
      inputs: { a: { dims: [2, 1, 2] }, b: { dims: [2, 3, 2] }, c: { dims: [2, 2, 2] } },
      build: (g, { a, b, c }) => g.op("Concat", [a, b, c], { axis: 1 }),
    }),
    gradientCase("along the last axis counted from the end, one asked for", {
      inputs: { a: { dims: [2, 3], checked: false }, b: { dims: [2, 2] }, c: { dims: [2, 1], checked: false } },
      build: (g, { a, b, c }) => g.op("Concat", [a, b, c], { axis: -1 }),
    }),
    gradientCase("a value with itself", {
      inputs: { a: { dims: [3] } },
      build: (g, { a }) => g.op("Concat", [a, a], { axis: 0 }),
    }),
    gradientCase("of one", {
      inputs: { a: { dims: [3, 2] } },
      build: (g, { a }) => g.op("Concat", [a], { axis: 0 }),
    }),
  ],
  Split: [
    split("all parts used", [2, 6], 1, [1, 3, 2], [0, 1, 2]),
    split("the first part used", [6, 2], 0, [1, 3, 2], [0]),
    split("a middle part used", [2, 6], -1, [1, 3, 2], [1]),
    split("two of three parts used", [6], 0, [1, 3, 2], [0, 2]),
    split("one part", [2, 3], 1, [3], [0]),
    gradientCase("by number of outputs, unevenly", {
      inputs: { x: { dims: [2, 7] } },
      build: (g, { x }) => g.ops("Split", [x], 3, { axis: 1, num_outputs: 3 }),
    }),
  ],
  Slice: Object.entries(slices).map(([title, spec]) => slice(title, spec)),
  Pad: [
    pad([2, 3], [1, 0, 0, 2]),
    pad([2, 3, 4], [2, 1], [1]),
    pad([2, 3, 4], [0, 1, 3, 0], [-1, 0]),
    pad([4, 5], [-1, 1, 2, -2]),
    pad([3], [0, 0]),
    gradientCase("the constant", {
      inputs: { x: { dims: [2, 3] }, value: { dims: [] } },
      build: (g, { x, value }) => g.op("Pad", [x, g.ints([1, 0, 0, 2]), value]),
    }),
    gradientCase("the constant only", {
      inputs: { x: { dims: [3], checked: false }, value: { dims: [1] } },
      build: (g, { x, value }) => g.op("Pad", [x, g.ints([2, 1]), value]),
    }),
  ],
  Gather: [
    gather("rows, some repeatedly, some never, some from the end", [5, 3], vector([1, 3, 1, -1]), 0),
    gather("a middle axis by a matrix of indices", [2, 4, 3], int64([2, 2], [0, 3, 3, 1]), 1),
    gather("the last axis counted from the end", [2, 4], vector([2, 2, 0]), -1),
    gather("one, given as a scalar", [2, 4, 3], int64([], [2]), 1),
    gather("the last, given as a scalar", [2, 4], int64([], [-1]), -1),
    gradientCase("attention's query, key and value out of one, transposed before and after", {
      // ONNX Runtime moves the transposes; see rules/padded.ts.
      inputs: { x: { dims: [2, 3, 3, 2, 4] } },
      build: (g, { x }) => {
        const qkv = g.op("Transpose", [x], { perm: [2, 0, 3, 1, 4] });
        const [q = "", k = "", v = ""] = [0, 1, 2].map((i) =>
          g.op("Gather", [qkv, g.initializer("i", int64([], [i]))], { axis: 0 }),
        );
        const scores = g.op("MatMul", [q, g.op("Transpose", [k], { perm: [0, 1, 3, 2] })]);
        return g.op("Transpose", [g.op("MatMul", [scores, v])], { perm: [0, 2, 1, 3] });
      },
    }),
    gather("one, given as a list", [4, 2], vector([-3]), 0),
    gradientCase("by indices computed from the data", {
      inputs: { x: { dims: [3, 4] } },
      build: (g, { x }) => g.op("Gather", [x, g.op("Cast", [g.op("Abs", [x])], { to: 7 })], { axis: 0 }),
    }),
  ],
  GatherElements: [
    gather("along the first axis", [3, 3], int64([2, 3], [0, 1, 2, 0, -1, 0]), 0, "GatherElements"),
    gather("along the last axis", [2, 4], int64([2, 3], [0, 0, 3, 1, -1, 2]), -1, "GatherElements"),
  ],
  Where: [
    where([2, 3], [2, 3], [2, 3]),
    where([2, 3], [3], []),
    where([3], [2, 1], [1, 3]),
    where([2, 1], [2, 3], [], false),
    gradientCase("by a condition computed from the same value", {
      inputs: { x: { dims: [2, 5] } },
      build: (g, { x }) => g.op("Where", [g.op("Less", [x, g.scalar(0.3)]), g.op("Mul", [x, x]), x]),
    }),
  ],
};
