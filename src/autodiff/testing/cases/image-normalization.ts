/** @file Checks of the rules in `rules/layer-normalization.ts` and `rules/response-normalization.ts`. */

import { type AttributeShorthand, float } from "../../../onnx/builder.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

type Dims = readonly number[];
type Attributes = Readonly<Record<string, AttributeShorthand>>;

const names = ["x", "scale", "bias"] as const;

/** With scale and bias, and by each of the three alone. */
function affine(operator: string, xDims: Dims, scaleDims: Dims, attributes: Attributes = {}): GradientCase[] {
  const written = Object.entries(attributes).map(([name, a]) => `, ${name} ${typeof a === "number" ? a : "set"}`);
  const title = `[${xDims}], scale [${scaleDims}]${written.join("")}`;
  const check = (suffix: string, asked: readonly string[]): GradientCase =>
    gradientCase(`${title}${suffix}`, {
      build: (b, { x, scale, bias }) => b.op(operator, [x, scale, bias], attributes),
      inputs: {
        x: { dims: xDims, between: [-1, 3], checked: asked.includes("x") },
        scale: { dims: scaleDims, initializer: true, checked: asked.includes("scale") },
        bias: { dims: scaleDims, checked: asked.includes("bias") },
      },
    });
  return [check("", names), ...names.map((name) => check(`, by ${name} alone`, [name]))];
}

/** LayerNormalization whose statistics, outputs 1 and 2, matter too. */
const withStatistics = (title: string, wanted: readonly number[]): GradientCase =>
  gradientCase(title, {
    build: (b, { x, scale }) => {
      const outputs = b.ops("LayerNormalization", [x, scale], 3, { axis: 1 });
      return wanted.map((i) => outputs[i] ?? "");
    },
    inputs: { x: { dims: [3, 2, 4] }, scale: { dims: [2, 4], checked: wanted.includes(0) } },
  });

function rootMeanSquare(xDims: Dims, scaleDims: Dims, attributes: Attributes = {}): GradientCase {
  return gradientCase(`[${xDims}], scale [${scaleDims}]`, {
    build: (b, { x, scale }) => b.op("RMSNormalization", [x, scale], attributes),
    inputs: { x: { dims: xDims, between: [-1, 3] }, scale: { dims: scaleDims } },
    opset: 23,
  });
}

function plain(operator: string, title: string, dims: Dims, attributes: Attributes = {}): GradientCase {
  return gradientCase(title, {
    build: (b, { x }) => b.op(operator, [x], attributes),
    inputs: { x: { dims, between: [-1, 3] } },
  });
}

export const imageNormalizationCases: GradientCases = {
  LayerNormalization: [
    ...affine("LayerNormalization", [2, 3, 5], [5]),
    ...affine("LayerNormalization", [2, 3, 5], [3, 5], { axis: 1 }),
    ...affine("LayerNormalization", [3, 4, 2, 3], [4, 2, 3], { axis: -3, epsilon: float(0.1) }),
    ...affine("LayerNormalization", [2, 3, 4], [4], { axis: 1 }),
    ...affine("LayerNormalization", [2, 3, 4], [3, 1], { axis: 1 }),
    ...affine("LayerNormalization", [7], [7], { axis: 0 }),
    gradientCase("without a bias", {
      build: (b, { x, scale }) => b.op("LayerNormalization", [x, scale]),
      inputs: { x: { dims: [4, 6] }, scale: { dims: [6] } },
    }),
    withStatistics("all three outputs", [0, 1, 2]),
    withStatistics("the mean alone", [1]),
    withStatistics("the inverse deviation alone", [2]),
    gradientCase("a mean of 30 standard deviations", {
      build: (b, { x, scale }) => b.op("LayerNormalization", [x, scale]),
      inputs: { x: { dims: [4, 16], between: [-31.7, -28.3] }, scale: { dims: [16] } },
    }),
  ],
  RMSNormalization: [
    rootMeanSquare([2, 3, 5], [5]),
    rootMeanSquare([2, 3, 4], [3, 4], { axis: 1 }),
    rootMeanSquare([3, 2, 2, 3], [2, 1, 3], { axis: -3, epsilon: float(0.1) }),
  ],
  GroupNormalization: [
    ...affine("GroupNormalization", [2, 4, 3, 5], [4], { num_groups: 2 }),
    ...affine("GroupNormalization", [3, 6, 5], [6], { num_groups: 3, epsilon: float(0.1) }),
    ...affine("GroupNormalization", [2, 3, 2, 2], [3], { num_groups: 1 }),
    ...affine("GroupNormalization", [2, 3, 4, 3], [3], { num_groups: 3 }),
    ...affine("GroupNormalization", [2, 4, 2, 3, 2], [4], { num_groups: 2 }),
  ],
  InstanceNormalization: [
    ...affine("InstanceNormalization", [2, 3, 4, 5], [3]),
    ...affine("InstanceNormalization", [3, 2, 7], [2], { epsilon: float(0.1) }),
    ...affine("InstanceNormalization", [1, 2, 3, 2, 3], [2]),
  ],
  LRN: [
    plain("LRN", "defaults, [2,5,3,2]", [2, 5, 3, 2], { size: 3 }),
    plain("LRN", "strong", [2, 7, 2, 3], { size: 5, alpha: float(2), bias: float(1.5) }),
    plain("LRN", "another exponent", [1, 4, 3, 3], { size: 3, alpha: float(1), beta: float(0.4), bias: float(0.5) }),
    plain("LRN", "more neighbours than channels", [2, 3, 2, 2], { size: 7, alpha: float(3) }),
    plain("LRN", "each channel alone", [2, 3, 2, 1], { size: 1, alpha: float(1) }),
  ],
  LpNormalization: [
    plain("LpNormalization", "the last axis", [2, 3, 5]),
    plain("LpNormalization", "channels", [2, 3, 2, 3], { axis: 1 }),
    plain("LpNormalization", "sums of absolute values", [2, 3, 5], { p: 1 }),
    plain("LpNormalization", "sums of absolute values, axis -2", [3, 4, 2], { p: 1, axis: -2 }),
  ],
  MeanVarianceNormalization: [
    plain("MeanVarianceNormalization", "defaults", [3, 2, 4, 3]),
    plain("MeanVarianceNormalization", "one axis", [3, 5], { axes: [1] }),
    plain("MeanVarianceNormalization", "positions", [2, 3, 3, 2], { axes: [-1, 2] }),
  ],
};
