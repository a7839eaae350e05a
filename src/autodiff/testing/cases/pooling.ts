/** @file Checks of the rules in `rules/pooling.ts`. */

import type { AttributeShorthand } from "../../../onnx/builder.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

type PoolCase = readonly [dims: readonly number[], attributes: Readonly<Record<string, AttributeShorthand>>];

const windows: Readonly<Record<string, PoolCase>> = {
  tiling: [[2, 3, 6, 4], { kernel_shape: [2, 2], strides: [2, 2] }],
  "tiling, not square": [[2, 2, 6, 4], { kernel_shape: [3, 2], strides: [3, 2] }],
  "stride that does not divide": [[2, 2, 7, 5], { kernel_shape: [2, 2], strides: [2, 2] }],
  overlapping: [[2, 2, 7, 6], { kernel_shape: [3, 2], strides: [2, 1] }],
  "default strides": [[1, 2, 5, 4], { kernel_shape: [2, 3] }],
  padded: [[2, 2, 6, 6], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  "padded asymmetrically": [[2, 2, 6, 5], { kernel_shape: [3, 2], strides: [2, 2], pads: [0, 1, 2, 0] }],
  dilated: [[2, 2, 8, 7], { kernel_shape: [3, 2], dilations: [2, 3], pads: [1, 0, 2, 1] }],
  "ceil mode": [[2, 2, 8, 6], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }],
  "ceil mode, padded": [[2, 2, 6, 7], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 1, 1, 0], ceil_mode: 1 }],
  SAME_UPPER: [[2, 2, 7, 6], { kernel_shape: [3, 4], strides: [2, 2], auto_pad: "SAME_UPPER" }],
  SAME_LOWER: [[2, 2, 7, 6], { kernel_shape: [3, 4], strides: [2, 3], auto_pad: "SAME_LOWER" }],
  VALID: [[2, 2, 7, 6], { kernel_shape: [3, 2], strides: [2, 3], auto_pad: "VALID" }],
  "one dimension": [[2, 2, 9], { kernel_shape: [3], strides: [2], pads: [1, 1] }],
  "three dimensions": [[1, 2, 4, 5, 4], { kernel_shape: [2, 3, 2], strides: [2, 2, 1] }],
};

const images = [
  [2, 3, 4, 5],
  [3, 2, 6],
  [2, 2, 1, 1],
];

export const poolingCases: GradientCases = {
  MaxPool: [
    ...windowed("MaxPool"),
    gradientCase("whose places are wanted as well", {
      build: (b, { x }) => b.ops("MaxPool", [x], 2, { kernel_shape: [3], strides: [2] })[0] ?? "",
      inputs: { x: { dims: [2, 2, 7] } },
    }),
  ],
  AveragePool: [...windowed("AveragePool"), ...windowed("AveragePool", "; padding counts", { count_include_pad: 1 })],
  GlobalMaxPool: global("GlobalMaxPool"),
  GlobalAveragePool: global("GlobalAveragePool"),
};

function windowed(operator: string, suffix = "", more: Readonly<Record<string, number>> = {}): GradientCase[] {
  return Object.entries(windows).map(([title, [dims, attributes]]) =>
    gradientCase(`${title}${suffix}`, {
      build: (b, { x }) => b.op(operator, [x], { ...attributes, ...more }),
      inputs: { x: { dims } },
    }),
  );
}

function global(operator: string): GradientCase[] {
  return images.map((dims) =>
    gradientCase(`[${dims}]`, { build: (b, { x }) => b.op(operator, [x]), inputs: { x: { dims } } }),
  );
}
