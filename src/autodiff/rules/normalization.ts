/**
 * @file Gradients of batch normalisation (Ioffe & Szegedy 2015), y = scale · (x − μ) / √(σ² + ε) + bias per channel.
 *
 * With σ⁻ = 1 / √(σ² + ε), c = x − μ, a = scale·σ⁻, and ⟨·⟩ the mean over the n cells of a channel:
 *
 *     dbias = n·⟨dy⟩        dscale = n·⟨dy·c⟩·σ⁻        dx = a · dy                                    (frozen)
 *     dx = a·dy − a·σ⁻²·⟨dy·c⟩ · c − a·⟨dy⟩                                                            (training)
 *
 * Activations are large and channels few: each line is one pass over activations, and arithmetic on one number a
 * channel.
 */

import { elementCount } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { floatAttribute, intAttribute } from "../../onnx/graph.js";
import { WILDMARK_DOMAIN } from "../primitives.js";
import type { GradientRules } from "../rule.js";

export const normalizationRules: GradientRules = {
  /** Running mean and variance are estimates, not parameters: no gradient is given for them. */
  BatchNormalization: ({ node, b, dy, input, needs, dims }) => {
    const shape = dims(input(0));
    const [, channels = 1] = shape;
    const n = elementCount(shape) / channels;
    const { channelMean, channelCenter, channelAffine, mul } = formulas(b, shape);

    const training = intAttribute(node, "training_mode", 0) === 1;
    const mean = training ? channelMean(input(0)) : input(3);
    const centered = training || needs(1) ? channelCenter(input(0), mean) : undefined;
    const variance = training && centered !== undefined ? channelMean(centered, centered) : input(4);
    const shifted = b.op("Add", [variance, b.scalar(floatAttribute(node, "epsilon", 1e-5))]);
    const inverse = b.op("Reciprocal", [b.op("Sqrt", [shifted])]);
    const a = mul(input(1), inverse);

    const meanGradient = needs(2) || training ? channelMean(dy) : undefined;
    const product = centered && (needs(1) || training) ? channelMean(dy, centered) : undefined;
    const slopes = product && mul(product, inverse);
    const dscale = slopes && mul(slopes, b.scalar(n));
    const dbias = meanGradient && mul(meanGradient, b.scalar(n));
    if (!needs(0)) return [undefined, dscale, dbias];
    const straight = channelAffine(dy, a);
    if (!training || centered === undefined || slopes === undefined || meanGradient === undefined) {
      return [straight, dscale, dbias];
    }
    const minusA = b.op("Neg", [a]);
    const slope = mul(minusA, mul(slopes, inverse));
    return [channelAffine(centered, slope, mul(minusA, meanGradient), straight), dscale, dbias];
  },
};

function formulas(b: GraphBuilder, shape: readonly number[]) {
  const primitive =
    (operator: string) =>
    (...inputs: readonly string[]): string =>
      b.op(operator, inputs, { shape }, { domain: WILDMARK_DOMAIN });
  return {
    channelMean: primitive("ChannelMean"),
    channelCenter: primitive("ChannelCenter"),
    channelAffine: primitive("ChannelAffine"),
    mul: (left: string, right: string): string => b.op("Mul", [left, right]),
  };
}
