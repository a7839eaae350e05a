/** @file Checks of the rules in `rules/convolution.ts`. */

import type { AttributeShorthand } from "../../../onnx/builder.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

interface ConvCase {
  readonly x: readonly number[];
  readonly w: readonly number[];
  /** Number of channels that the node gives. */
  readonly channels: number;
  readonly attributes: Readonly<Record<string, AttributeShorthand>>;
}

const conv = (
  x: readonly number[],
  w: readonly number[],
  attributes: Readonly<Record<string, AttributeShorthand>> = {},
): ConvCase => ({ x, w, channels: w[0] ?? 1, attributes });

const convolutions: Readonly<Record<string, ConvCase>> = {
  plain: conv([2, 3, 6, 5], [4, 3, 3, 2]),
  "kernel of one cell, strided": conv([2, 3, 5, 4], [2, 3, 1, 1], { strides: [2, 2] }),
  "kernel of the whole image": conv([3, 2, 4, 3], [2, 2, 4, 3]),
  padded: conv([2, 2, 5, 4], [3, 2, 3, 3], { pads: [1, 1, 1, 1] }),
  "padded asymmetrically": conv([2, 2, 5, 6], [2, 2, 3, 4], { pads: [0, 2, 1, 1] }),
  "padded beyond the kernel": conv([1, 2, 4, 5], [2, 2, 2, 1], { pads: [3, 1, 2, 2] }),
  "strided, padded": conv([2, 2, 7, 8], [3, 2, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }),
  "stride that does not divide": conv([2, 2, 9, 8], [3, 2, 3, 2], { strides: [4, 3] }),
  "dilated, padded": conv([2, 2, 8, 7], [2, 2, 3, 2], { dilations: [2, 3], pads: [2, 1, 2, 2] }),
  "dilated, strided": conv([2, 1, 9, 10], [2, 1, 3, 2], { dilations: [2, 3], strides: [2, 3], pads: [1, 0, 2, 1] }),
  grouped: conv([2, 4, 6, 5], [6, 2, 3, 3], { group: 2, strides: [2, 1], pads: [1, 1, 1, 1] }),
  depthwise: conv([2, 3, 6, 6], [6, 1, 3, 3], { group: 3, pads: [1, 1, 1, 1] }),
  SAME_UPPER: conv([2, 2, 7, 6], [2, 2, 3, 4], { auto_pad: "SAME_UPPER", strides: [2, 2] }),
  SAME_LOWER: conv([2, 2, 7, 6], [2, 2, 3, 4], { auto_pad: "SAME_LOWER", strides: [2, 3] }),
  "SAME_UPPER, stride above kernel": conv([1, 2, 9, 8], [2, 2, 2, 1], { auto_pad: "SAME_UPPER", strides: [4, 3] }),
  VALID: conv([2, 2, 7, 6], [2, 2, 3, 2], { auto_pad: "VALID", strides: [3, 2] }),
  "one dimension": conv([2, 3, 11], [4, 3, 4], { strides: [2], pads: [1, 2] }),
  "three dimensions": conv([1, 2, 4, 5, 3], [2, 2, 2, 3, 2], { strides: [1, 2, 1], pads: [1, 0, 0, 0, 1, 1] }),
};

const transpose = (
  x: readonly number[],
  w: readonly number[],
  attributes: Readonly<Record<string, AttributeShorthand>> = {},
): ConvCase => {
  const { group } = attributes;
  return { x, w, channels: (w[1] ?? 1) * (typeof group === "number" ? group : 1), attributes };
};

const transposed: Readonly<Record<string, ConvCase>> = {
  plain: transpose([2, 3, 4, 3], [3, 2, 3, 2]),
  strided: transpose([2, 2, 3, 4], [2, 3, 3, 2], { strides: [2, 3] }),
  "strided, padded": transpose([2, 2, 4, 3], [2, 2, 3, 4], { strides: [2, 2], pads: [1, 1, 1, 2] }),
  "output padding": transpose([2, 2, 3, 4], [2, 2, 3, 3], {
    strides: [2, 3],
    pads: [1, 1, 1, 0],
    output_padding: [1, 2],
  }),
  "named output shape beyond the windows": transpose([1, 2, 3, 4], [2, 2, 4, 3], {
    strides: [2, 2],
    output_shape: [9, 10],
  }),
  dilated: transpose([2, 2, 4, 3], [2, 2, 2, 3], { dilations: [2, 2], pads: [0, 1, 1, 1] }),
  grouped: transpose([2, 4, 3, 3], [4, 3, 3, 3], { group: 2, strides: [2, 2], pads: [1, 1, 1, 1] }),
  depthwise: transpose([2, 3, 4, 4], [3, 1, 2, 2], { group: 3, strides: [2, 2] }),
  SAME_UPPER: transpose([1, 2, 3, 4], [2, 2, 4, 3], { auto_pad: "SAME_UPPER", strides: [2, 2] }),
  SAME_LOWER: transpose([1, 2, 3, 4], [2, 2, 4, 3], { auto_pad: "SAME_LOWER", strides: [1, 2] }),
  "named output shape": transpose([1, 2, 3, 4], [2, 2, 4, 3], { strides: [2, 2], output_shape: [7, 8] }),
  "one dimension": transpose([2, 2, 5], [2, 3, 4], { strides: [3], pads: [1, 2], output_padding: [1] }),
};

export const convolutionCases: GradientCases = {
  Conv: casesOf("Conv", convolutions),
  ConvTranspose: casesOf("ConvTranspose", transposed),
};

function casesOf(operator: string, cases: Readonly<Record<string, ConvCase>>): GradientCase[] {
  const biased = Object.entries(cases).map(([title, { x, w, channels, attributes }]) =>
    gradientCase(title, {
      build: (b, names) => b.op(operator, [names.x, names.w, names.bias], attributes),
      inputs: { x: { dims: x }, w: { dims: w }, bias: { dims: [channels] } },
    }),
  );
  const { plain } = cases;
  if (plain === undefined) return biased;
  const unbiased = (wanted: "x" | "w"): GradientCase =>
    gradientCase(`without bias, by ${wanted} alone`, {
      build: (b, { x, w }) => b.op(operator, [x, w], plain.attributes),
      inputs: { x: { dims: plain.x, checked: wanted === "x" }, w: { dims: plain.w, checked: wanted === "w" } },
    });
  return [...biased, unbiased("x"), unbiased("w")];
}
