import { describe, expect, test } from "vitest";
import type { AttributeShorthand } from "../../onnx/builder.js";
import { checkGradient } from "../testing/check-gradient.js";

type Case = readonly [dims: readonly number[], attributes: Readonly<Record<string, AttributeShorthand>>];

const cases: Readonly<Record<string, Case>> = {
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

test.each(Object.entries(cases))("MaxPool, %s", async (_, [dims, attributes]) => {
  await checkGradient({ build: (b, { x }) => b.op("MaxPool", [x], attributes), inputs: { x: { dims } } });
});

test("MaxPool whose places are wanted as well", async () => {
  await checkGradient({
    build: (b, { x }) => b.ops("MaxPool", [x], 2, { kernel_shape: [3], strides: [2] })[0] ?? "",
    inputs: { x: { dims: [2, 2, 7] } },
  });
});

test("MaxPool, ties: the whole gradient goes to the first maximum", async () => {
  const check = checkGradient({
    build: (b, { x }) => b.op("MaxPool", [x], { kernel_shape: [2, 2], strides: [2, 2] }),
    inputs: { x: { dims: [1, 1, 2, 2], values: [1, 3, 3, 3] } },
  });
  // Central differences see half of a slope at a tie: they must disagree, at the element where all of it arrived.
  await expect(check).rejects.toThrow(/gradient by "x" is .* at element 1 /);
});

describe.each([0, 1])("AveragePool, count_include_pad %d", (count_include_pad) => {
  test.each(Object.entries(cases))("%s", async (_, [dims, attributes]) => {
    await checkGradient({
      build: (b, { x }) => b.op("AveragePool", [x], { ...attributes, count_include_pad }),
      inputs: { x: { dims } },
    });
  });
});

test.each([[[2, 3, 4, 5]], [[3, 2, 6]], [[2, 2, 1, 1]]])("global poolings of [%s]", async (dims) => {
  await checkGradient({ build: (b, { x }) => b.op("GlobalAveragePool", [x]), inputs: { x: { dims } } });
  await checkGradient({ build: (b, { x }) => b.op("GlobalMaxPool", [x]), inputs: { x: { dims } } });
});
