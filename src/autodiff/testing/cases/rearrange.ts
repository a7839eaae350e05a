/** @file Checks of the rules in `rules/rearrange.ts`. */

import { int64 } from "../../../core/tensor.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

function blocks(operator: string, dims: readonly number[], blocksize: number, mode?: string): GradientCase {
  return gradientCase(`[${dims}] by ${blocksize}${mode === undefined ? "" : `, ${mode}`}`, {
    inputs: { x: { dims } },
    build: (g, { x }) => g.op(operator, [x], { blocksize, ...(mode === undefined ? {} : { mode }) }),
  });
}

function tile(dims: readonly number[], repeats: readonly number[]): GradientCase {
  return gradientCase(`[${dims}] by ${repeats.join(" ")}`, {
    inputs: { x: { dims } },
    build: (g, { x }) => g.op("Tile", [x, g.ints(repeats)]),
  });
}

function withNumber(
  operator: string,
  dims: readonly number[],
  number: number | undefined,
  attributes: Readonly<Record<string, number>> = {},
): GradientCase {
  return gradientCase(`[${dims}], ${number} ${JSON.stringify(attributes)}`, {
    inputs: { x: { dims } },
    build: (g, { x }) =>
      g.op(operator, number === undefined ? [x] : [x, g.initializer("number", int64([], [number]))], attributes),
  });
}

export const rearrangeCases: GradientCases = {
  DepthToSpace: [
    blocks("DepthToSpace", [2, 8, 2, 3], 2),
    blocks("DepthToSpace", [1, 9, 3, 1], 3, "DCR"),
    blocks("DepthToSpace", [2, 8, 2, 3], 2, "CRD"),
    blocks("DepthToSpace", [1, 18, 1, 3], 3, "CRD"),
  ],
  SpaceToDepth: [blocks("SpaceToDepth", [2, 2, 4, 6], 2), blocks("SpaceToDepth", [1, 3, 3, 9], 3)],
  Tile: [tile([2, 3], [2, 1]), tile([2, 1, 3], [3, 2, 2]), tile([3], [1]), tile([1, 3], [4, 1])],
  CumSum: [
    withNumber("CumSum", [2, 5], 1),
    withNumber("CumSum", [3, 2, 2], -3, { exclusive: 1 }),
    withNumber("CumSum", [2, 4], -1, { reverse: 1 }),
    withNumber("CumSum", [4, 3], 0, { reverse: 1, exclusive: 1 }),
  ],
  Trilu: [
    withNumber("Trilu", [3, 4], undefined),
    withNumber("Trilu", [2, 4, 3], -1, { upper: 0 }),
    withNumber("Trilu", [3, 3], 1, { upper: 1 }),
    withNumber("Trilu", [5, 2], 2, { upper: 0 }),
  ],
};
