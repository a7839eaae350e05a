/**
 * @file Gradients of normalisations by the statistics of the image itself: layers (Ba et al. 2016), groups (Wu & He
 * 2018), single channels (Ulyanov et al. 2016), and the root mean square alone (Zhang & Sennrich 2019).
 *
 * All are y = scale · n + bias with n = (x − μ) · σ⁻ and σ⁻ = 1 / √(σ² + ε), over other elements each; μ is 0 for the
 * root mean square. With g = scale · dy and means over the elements that were normalised together:
 *
 *     dbias = Σ dy        dscale = Σ dy·n        dx = σ⁻ · (g − mean(g) − n · mean(g·n))
 *
 * n and σ⁻ come from one LayerNormalization without a scale, in one pass; the runtime has no operator for the rest.
 */

import { elementCount, float32 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { float } from "../../onnx/builder.js";
import { floatAttribute, intAttribute } from "../../onnx/graph.js";
import type { GradientContext, GradientRules } from "../rule.js";
import { reshapeTo, sumTo } from "./broadcast.js";

export const layerNormalizationRules: GradientRules = {
  LayerNormalization: (context) => {
    const { b, input, dims } = context;
    return trailing(context, true, (axis) => standardised(b, input(0), dims(input(0)), axis, epsilonOf(context)));
  },

  RMSNormalization: (context) => {
    const { b, input, dims } = context;
    return trailing(context, false, (axis) => {
      const axes = b.ints(range(axis, dims(input(0)).length));
      const square = b.op("ReduceMean", [b.op("Mul", [input(0), input(0)]), axes]);
      const inverse = b.op("Reciprocal", [b.op("Sqrt", [b.op("Add", [square, b.scalar(epsilonOf(context))])])]);
      return { normal: b.op("Mul", [input(0), inverse]), inverse };
    });
  },

  GroupNormalization: (context) => grouped(context, intAttribute(context.node, "num_groups", 1)),

  InstanceNormalization: (context) => grouped(context, context.dims(context.input(0))[1] ?? 1),
};

interface Standardised {
  /** x with mean 0 and variance 1, of its own dimensions. */
  readonly normal: string;
  /** σ⁻, which broadcasts to them. */
  readonly inverse: string;
}

/** Normalises all axes of `x` from `axis` on together. */
function standardised(
  b: GraphBuilder,
  x: string,
  xDims: readonly number[],
  axis: number,
  epsilon: number,
): Standardised {
  // Ones of full size: with a single one, ONNX Runtime took twice as long.
  const dims = xDims.slice(axis);
  const ones = b.initializer("ones", float32(dims, new Float32Array(elementCount(dims)).fill(1)));
  const [normal = "", , inverse = ""] = b.ops("LayerNormalization", [x, ones], 3, { axis, epsilon: float(epsilon) });
  return { normal, inverse };
}

/** Everything from `axis` on is normalised together; scale and bias broadcast. */
function trailing(
  context: GradientContext,
  centred: boolean,
  standardise: (axis: number) => Standardised,
): (string | undefined)[] {
  const { b, node, input, needs, dims, outputGradients } = context;
  const [dy, dMean, dInverse] = outputGradients;
  const xDims = dims(input(0));
  const scale = input(1);
  const attribute = intAttribute(node, "axis", -1);
  const axis = attribute < 0 ? attribute + xDims.length : attribute;
  const size = elementCount(xDims.slice(axis));

  const dbias = needs(2) && dy !== undefined ? sumTo(b, dy, xDims, dims(input(2))) : undefined;
  if (!needs(0) && !needs(1)) return [undefined, undefined, dbias];
  const { normal, inverse } = standardise(axis);
  const product = dy && b.op("Mul", [dy, normal]);
  const dscale = needs(1) && product !== undefined ? sumTo(b, product, xDims, dims(scale)) : undefined;
  if (!needs(0)) return [undefined, dscale, dbias];

  /** mean(scale · value) */
  const weightedMean = (value: string): string => {
    const [length, ...others] = dims(scale);
    if (axis === xDims.length - 1 && length === size && others.length === 0) {
      const share = b.op("Mul", [scale, b.scalar(1 / size)]);
      return b.op("MatMul", [value, b.op("Reshape", [share, b.ints([size, 1])])]);
    }
    return b.op("ReduceMean", [b.op("Mul", [value, scale]), b.ints(range(axis, xDims.length))]);
  };
  const parts: string[] = [];
  if (dy !== undefined && product !== undefined) {
    const g = b.op("Mul", [dy, scale]);
    const even = centred ? b.op("Sub", [g, weightedMean(dy)]) : g;
    const rest = b.op("Sub", [even, b.op("Mul", [normal, weightedMean(product)])]);
    parts.push(b.op("Mul", [rest, inverse]));
  }
  // The outputs Mean and InvStdDev: dμ/dx = 1/n, dσ⁻/dx = −σ⁻² · n / size.
  if (dMean !== undefined) parts.push(b.op("Mul", [dMean, b.scalar(1 / size)]));
  if (dInverse !== undefined) {
    const slope = b.op("Mul", [b.op("Mul", [dInverse, b.op("Mul", [inverse, inverse])]), b.scalar(-1 / size)]);
    parts.push(b.op("Mul", [slope, normal]));
  }
  const dx = parts.reduce((sum, part) => b.op("Add", [sum, part]));
  // The mean's gradient alone is one number for all elements of a row.
  return [dy === undefined && dInverse === undefined ? b.op("Expand", [dx, b.ints(xDims)]) : dx, dscale, dbias];
}

/** All positions of `channels / groups` channels are normalised together; scale and bias are a number a channel. */
function grouped(context: GradientContext, groups: number): (string | undefined)[] {
  const { b, dy, input, needs, dims } = context;
  const xDims = dims(input(0));
  const [images = 1, channels = 1, ...spatial] = xDims;
  const cells = elementCount(spatial);
  const rows = [images, groups, (channels / groups) * cells];
  const perChannel = [images, groups, channels / groups, 1];
  const positions = [images, groups, channels / groups, cells];
  const sum = (value: string): string => b.op("ReduceSum", [value, b.ints([3])]);
  /** A number an image and channel becomes one a channel. */
  const total = (value: string): string =>
    reshapeTo(b, b.op("ReduceSum", [value, b.ints([0])]), [1, ...perChannel.slice(1)], [channels]);

  const slope = reshapeTo(b, dy, xDims, positions);
  const sums = sum(slope);
  const dbias = needs(2) ? total(sums) : undefined;
  if (!needs(0) && !needs(1)) return [undefined, undefined, dbias];
  const standard = standardised(b, reshapeTo(b, input(0), xDims, rows), rows, 2, epsilonOf(context));
  const normal = b.op("Reshape", [standard.normal, b.ints(positions)]);
  const products = sum(b.op("Mul", [slope, normal]));
  const dscale = needs(1) ? total(products) : undefined;
  if (!needs(0)) return [undefined, dscale, dbias];

  // Sums over positions are taken once, above; what follows but for the last line is arithmetic on a number a channel.
  const scale = b.op("Reshape", [input(1), b.ints([1, ...perChannel.slice(1)])]);
  const inverse = b.op("Reshape", [standard.inverse, b.ints([images, groups, 1, 1])]);
  const negativeMean = (value: string): string => {
    const inGroup = b.op("ReduceSum", [b.op("Mul", [value, scale]), b.ints([2])]);
    return b.op("Mul", [b.op("Mul", [inGroup, inverse]), b.scalar(-groups / (channels * cells))]);
  };
  const straight = b.op("Mul", [slope, b.op("Mul", [scale, inverse])]);
  const bent = b.op("Add", [b.op("Mul", [normal, negativeMean(products)]), negativeMean(sums)]);
  return [reshapeTo(b, b.op("Add", [straight, bent]), positions, xDims), dscale, dbias];
}

function epsilonOf({ node }: GradientContext): number {
  return floatAttribute(node, "epsilon", 1e-5);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
