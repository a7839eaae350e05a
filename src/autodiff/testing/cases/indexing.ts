/** @file Checks of the rules in `rules/indexing.ts`. */

import { int64, type Tensor } from "../../../core/tensor.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

function gatherND(title: string, dims: readonly number[], indices: Tensor, batch_dims = 0): GradientCase {
  return gradientCase(title, {
    inputs: { x: { dims } },
    build: (g, { x }) => g.op("GatherND", [x, g.initializer("indices", indices)], { batch_dims }),
  });
}

interface ScatterSpec {
  readonly dims: readonly number[];
  readonly indices: Tensor;
  readonly updates: readonly number[];
  readonly axis?: number;
  readonly reduction?: string;
}

function scatter(operator: string, title: string, spec: ScatterSpec): GradientCase {
  const { dims, indices, updates, axis, reduction } = spec;
  return gradientCase(title, {
    inputs: { x: { dims }, updates: { dims: updates } },
    build: (g, { x, updates }) =>
      g.op(operator, [x, g.initializer("indices", indices), updates], {
        ...(axis === undefined ? {} : { axis }),
        ...(reduction === undefined ? {} : { reduction }),
      }),
  });
}

function topK(dims: readonly number[], k: number, attributes: Readonly<Record<string, number>> = {}): GradientCase {
  // Far apart, so that no difference changes the order.
  const values = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 7) % 11) + 0.1 * i);
  return gradientCase(`${k} of [${dims}] ${JSON.stringify(attributes)}`, {
    inputs: { x: { dims, values } },
    build: (g, { x }) => g.ops("TopK", [x, g.ints([k])], 2, attributes)[0] ?? "",
  });
}

export const indexingCases: GradientCases = {
  GatherND: [
    gatherND("elements, one of them twice, one from the end", [3, 4], int64([4, 2], [0, 1, 2, 3, 0, 1, -1, -2])),
    gatherND("rows", [3, 2, 2], int64([2, 1], [2, 0])),
    gatherND("a matrix of rows", [3, 5], int64([2, 2, 1], [2, 0, 1, 1])),
    gatherND("one batch axis", [2, 3, 2], int64([2, 1], [1, -1]), 1),
    gatherND("two batch axes", [2, 3, 4], int64([2, 3, 1], [0, 3, 1, 1, -1, 2]), 2),
    gatherND("one batch axis, several of each", [3, 2, 4], int64([3, 2, 2], [0, 1, 1, 3, 0, 0, 1, 1, 0, 2, 0, 2]), 1),
  ],
  ScatterND: [
    scatter("ScatterND", "rows", { dims: [4, 3], indices: int64([2, 1], [2, -4]), updates: [2, 3] }),
    scatter("ScatterND", "elements", { dims: [2, 3], indices: int64([3, 2], [0, 0, 1, 2, 0, 1]), updates: [3] }),
    scatter("ScatterND", "rows, one of them twice, added", {
      dims: [4, 3],
      indices: int64([3, 1], [2, 0, 2]),
      updates: [3, 3],
      reduction: "add",
    }),
  ],
  ScatterElements: [
    scatter("ScatterElements", "the first axis", { dims: [3, 3], indices: int64([1, 3], [2, 0, -2]), updates: [1, 3] }),
    scatter("ScatterElements", "the last axis", {
      dims: [2, 4],
      indices: int64([2, 2], [1, 3, 0, 2]),
      updates: [2, 2],
      axis: -1,
    }),
    scatter("ScatterElements", "twice the same, added", {
      dims: [2, 4],
      indices: int64([2, 3], [1, 1, 0, 2, 2, 2]),
      updates: [2, 3],
      axis: 1,
      reduction: "add",
    }),
  ],
  TopK: [topK([2, 5], 3), topK([5, 3], 2, { axis: 0 }), topK([7], 4, { largest: 0 })],
};
