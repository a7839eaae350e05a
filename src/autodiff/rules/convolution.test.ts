import { describe, expect, test } from "vitest";
import type { AttributeShorthand } from "../../onnx/builder.js";
import { checkGradient } from "../testing/check-gradient.js";

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

describe("Conv", () => {
  test.each(
    Object.entries({
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
    }),
  )("%s", expectGradients("Conv"));

  test("asks for no more gradients than wanted", async () => {
    const { gradientNodes } = await checkGradient({
      build: (b, { x, w }) => b.op("Conv", [x, w]),
      inputs: { x: { dims: [1, 1, 3, 3], checked: false }, w: { dims: [1, 1, 2, 2] } },
    });
    const both = await checkGradient({
      build: (b, { x, w }) => b.op("Conv", [x, w]),
      inputs: { x: { dims: [1, 1, 3, 3] }, w: { dims: [1, 1, 2, 2] } },
    });
    expect(gradientNodes).toBe(both.gradientNodes - 1);
  });
});

const transpose = (
  x: readonly number[],
  w: readonly number[],
  attributes: Readonly<Record<string, AttributeShorthand>> = {},
): ConvCase => {
  const { group } = attributes;
  return { x, w, channels: (w[1] ?? 1) * (typeof group === "number" ? group : 1), attributes };
};

describe("ConvTranspose", () => {
  test.each(
    Object.entries({
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
    }),
  )("%s", expectGradients("ConvTranspose"));
});

function expectGradients(operator: string): (title: string, item: ConvCase) => Promise<void> {
  return async (_, { x, w, channels, attributes }) => {
    const { operators } = await checkGradient({
      build: (b, names) => b.op(operator, [names.x, names.w, names.bias], attributes),
      inputs: { x: { dims: x }, w: { dims: w }, bias: { dims: [channels] } },
    });
    expect(operators).toContain(operator);
  };
}
