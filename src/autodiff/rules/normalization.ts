/**
 * @file Gradients of batch normalisation (Ioffe & Szegedy 2015), y = scale · (x − μ) / √(σ² + ε) + bias per channel.
 *
 * Activations are large and channels few, so sums over activations are taken once and everything else is arithmetic on
 * one number a channel. With σ⁻ = 1 / √(σ² + ε), sums over images and positions, and n cells a channel:
 *
 *     dbias = Σ dy        dscale = (Σ dy·x − μ·Σ dy) · σ⁻        dx = scale·σ⁻ · dy                      (frozen)
 *     dx = scale·σ⁻ · (dy − dbias/n − (x − μ)·σ⁻·dscale/n)                                               (training)
 *
 * With a = scale·σ⁻ the last is a·dy plus x normalised again, with scale −a·dscale/n and bias −a·dbias/n: three passes.
 */

import { elementCount } from "../../core/tensor.js";
import { float, type GraphBuilder } from "../../onnx/builder.js";
import { floatAttribute, intAttribute } from "../../onnx/graph.js";
import type { GradientRules } from "../rule.js";

export const normalizationRules: GradientRules = {
  /** Running mean and variance are estimates, not parameters: no gradient is given for them. */
  BatchNormalization: ({ node, b, dy, input, needs, dims }) => {
    const x = input(0);
    const [images = 1, channels = 1, ...spatial] = dims(x);
    const n = images * elementCount(spatial);
    /** Over positions first, then images: half the time of both at once, and squares round to 1e-7, not 1e-5. */
    const sum = (value: string, operator = "ReduceSum"): string => {
      if (spatial.length === 0) return b.op(operator, [value, b.ints([0])], { keepdims: 0 });
      const perImage = b.op(operator, [value, b.ints(spatial.map((_, i) => i + 2))], { keepdims: 0 });
      return b.op("ReduceSum", [perImage, b.ints([0])], { keepdims: 0 });
    };
    const spread = (value: string): string => b.op("Reshape", [value, b.ints([1, channels, ...spatial.map(() => 1)])]);
    const f = formulas(b);

    const training = intAttribute(node, "training_mode", 0) === 1;
    const mean = training ? f.mul(sum(x), b.scalar(1 / n)) : input(3);
    // E[x²] − μ²: one pass over x fewer than Σ (x − μ)²; float32 keeps 4 digits even where μ is 30 σ.
    const variance = training ? f.sub(f.mul(sum(x, "ReduceSumSquare"), b.scalar(1 / n)), f.mul(mean, mean)) : input(4);
    const nonNegative = training ? b.op("Max", [variance, b.scalar(0)]) : variance;
    const epsilon = floatAttribute(node, "epsilon", 1e-5);
    const inverse = b.op("Reciprocal", [b.op("Sqrt", [f.add(nonNegative, b.scalar(epsilon))])]);
    const a = f.mul(input(1), inverse);

    const dbias = needs(2) || needs(1) || training ? sum(dy) : undefined;
    const dscale =
      dbias !== undefined && (needs(1) || training)
        ? f.mul(f.sub(sum(f.mul(dy, x)), f.mul(mean, dbias)), inverse)
        : undefined;
    if (!needs(0)) return [undefined, dscale, dbias];
    const straight = f.mul(dy, spread(a));
    if (dscale === undefined || dbias === undefined || !training) return [straight, dscale, dbias];

    const share = f.mul(a, b.scalar(-1 / n));
    const statistics = [f.mul(share, dscale), f.mul(share, dbias), mean, nonNegative];
    const correction = b.op("BatchNormalization", [x, ...statistics], { epsilon: float(epsilon) });
    return [f.add(straight, correction), dscale, dbias];
  },
};

function formulas(b: GraphBuilder) {
  const binary =
    (operator: string) =>
    (left: string, right: string): string =>
      b.op(operator, [left, right]);
  return { add: binary("Add"), sub: binary("Sub"), mul: binary("Mul") };
}
