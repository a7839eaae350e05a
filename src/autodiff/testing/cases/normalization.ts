/** @file Checks of the rules in `rules/normalization.ts`. */

import { float, type GraphBuilder } from "../../../onnx/builder.js";
import type { CheckedInput } from "../check-gradient.js";
import { type GradientCases, gradientCase } from "../gradient-case.js";

const shapes = [
  [4, 3, 5, 2],
  [6, 2],
  [3, 2, 7],
  [2, 1, 3, 2, 2],
];

type Name = "x" | "scale" | "bias" | "mean" | "variance";

/** Mean and variance are estimates and get no gradient. */
function inputs(x: CheckedInput, checked: readonly Name[] = ["x", "scale", "bias"]): Record<Name, CheckedInput> {
  const [, channels = 1] = x.dims;
  return {
    x: { ...x, checked: checked.includes("x") },
    scale: { dims: [channels], checked: checked.includes("scale") },
    bias: { dims: [channels], checked: checked.includes("bias") },
    mean: { dims: [channels], checked: false },
    variance: { dims: [channels], between: [0.5, 2], checked: false },
  };
}

function training(b: GraphBuilder, names: Readonly<Record<Name, string>>): string {
  const { x, scale, bias, mean, variance } = names;
  return b.ops("BatchNormalization", [x, scale, bias, mean, variance], 3, { training_mode: 1 })[0] ?? "";
}

function frozen(b: GraphBuilder, names: Readonly<Record<Name, string>>): string {
  const { x, scale, bias, mean, variance } = names;
  return b.op("BatchNormalization", [x, scale, bias, mean, variance], { epsilon: float(0.1) });
}

const alone: readonly Name[] = ["x", "scale", "bias"];

export const normalizationCases: GradientCases = {
  BatchNormalization: [
    ...shapes.flatMap((dims) => [
      gradientCase(`the batch's statistics, [${dims}]`, { build: training, inputs: inputs({ dims, between: [1, 4] }) }),
      gradientCase(`frozen, [${dims}]`, { build: frozen, inputs: inputs({ dims }) }),
    ]),
    ...alone.flatMap((name) => [
      gradientCase(`the batch's statistics, by ${name} alone`, {
        build: training,
        inputs: inputs({ dims: [3, 2, 4] }, [name]),
      }),
      gradientCase(`frozen, by ${name} alone`, { build: frozen, inputs: inputs({ dims: [3, 2, 4] }, [name]) }),
    ]),
    gradientCase("a mean of 30 standard deviations leaves 3 digits", {
      build: training,
      inputs: inputs({ dims: [8, 2, 4], between: [-31.7, -28.3] }),
      tolerance: 1e-3,
    }),
  ],
};
