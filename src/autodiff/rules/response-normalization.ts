/** @file Gradients of normalisations without weights: by neighbouring channels, by length, by mean and variance. */

import type { GraphBuilder } from "../../onnx/builder.js";
import { floatAttribute, intAttribute, intsAttribute } from "../../onnx/graph.js";
import type { GradientRules } from "../rule.js";

export const responseNormalizationRules: GradientRules = {
  /**
   * y = x · s^−β with s = bias + alpha · mean of x² over `size` neighbouring channels, those outside counting as 0
   * (Krizhevsky et al. 2012): dx = dy · s^−β − 2 · alpha · β · x · mean of (dy · y / s) over the same neighbours. ONNX
   * Runtime takes images and odd sizes alone, so that channels are each other's neighbours.
   */
  LRN: ({ b, dy, node, input, dims }) => {
    const x = input(0);
    const [y = ""] = node.outputs;
    const [images = 1, channels = 1, ...spatial] = dims(x);
    const size = intAttribute(node, "size", 1);
    const alpha = floatAttribute(node, "alpha", 1e-4);
    const beta = floatAttribute(node, "beta", 0.75);
    const beside = Math.floor(size / 2);
    /** Channels are taken for the rows of an image of one channel. */
    const overNeighbours = (value: string): string => {
      const flat = b.op("Reshape", [value, b.ints([images, 1, channels, -1])]);
      const window = { kernel_shape: [size, 1], pads: [beside, 0, beside, 0], count_include_pad: 1 };
      return b.op("Reshape", [b.op("AveragePool", [flat], window), b.ints([images, channels, ...spatial])]);
    };
    const squares = b.op("Mul", [overNeighbours(b.op("Mul", [x, x])), b.scalar(alpha)]);
    const s = b.op("Add", [squares, b.scalar(floatAttribute(node, "bias", 1))]);
    const spread = b.op("Mul", [x, overNeighbours(b.op("Div", [b.op("Mul", [dy, y]), s]))]);
    const straight = b.op("Div", [dy, power(b, s, beta)]);
    return [b.op("Sub", [straight, b.op("Mul", [spread, b.scalar(2 * alpha * beta)])])];
  },

  /** y = x / r with r = (Σ |x|^p)^(1/p), p 1 or 2: dx = (dy − ∂r/∂x · Σ dy·y) / r, and 0 where r is 0, as y is. */
  LpNormalization: ({ b, dy, node, input }) => {
    const x = input(0);
    const [y = ""] = node.outputs;
    const euclidean = intAttribute(node, "p", 2) === 2;
    const axes = b.ints([intAttribute(node, "axis", -1)]);
    const length = b.op(euclidean ? "ReduceL2" : "ReduceL1", [x, axes]);
    const none = b.op("Equal", [length, b.scalar(0)]);
    const inverse = b.op("Where", [none, b.scalar(0), b.op("Reciprocal", [length])]);
    const along = b.op("Mul", [euclidean ? y : b.op("Sign", [x]), b.op("ReduceSum", [b.op("Mul", [dy, y]), axes])]);
    return [b.op("Mul", [b.op("Sub", [dy, along]), inverse])];
  },

  /** y = (x − μ) / σ: dx = (dy − mean(dy) − y · mean(dy·y)) / σ. */
  MeanVarianceNormalization: ({ b, dy, node, input }) => {
    const x = input(0);
    const [y = ""] = node.outputs;
    const axes = b.ints(intsAttribute(node, "axes") ?? [0, 2, 3]);
    const mean = (value: string): string => b.op("ReduceMean", [value, axes]);
    const centred = b.op("Sub", [x, mean(x)]);
    const deviation = b.op("Sqrt", [mean(b.op("Mul", [centred, centred]))]);
    const even = b.op("Sub", [dy, mean(dy)]);
    const rest = b.op("Sub", [even, b.op("Mul", [y, mean(b.op("Mul", [dy, y]))])]);
    // The operator's own guard against constant images.
    return [b.op("Div", [rest, b.op("Add", [deviation, b.scalar(1e-9)])])];
  },
};

/** s^exponent, s > 0; the exponent that nearly all models have by roots, which take a fraction of Pow's time. */
function power(b: GraphBuilder, s: string, exponent: number): string {
  if (exponent !== 0.75) return b.op("Pow", [s, b.scalar(exponent)]);
  const root = b.op("Sqrt", [s]);
  return b.op("Mul", [root, b.op("Sqrt", [root])]);
}
