/** @file Checks of the rules in `rules/activation.ts`. */

import { float, type GraphBuilder } from "../../../onnx/builder.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

/** Wide enough to reach both sides of every kink. */
const wide = [-5, 5] as const;

function activation(operator: string, attributes: Readonly<Record<string, number>> = {}): GradientCase[] {
  const written = Object.entries(attributes).map(([name, value]) => `, ${name} ${value}`);
  return [[2, 3, 4], [30], []].map((dims) =>
    gradientCase(`[${dims}]${written.join("")}`, {
      inputs: { x: { dims, between: wide } },
      build: (g, { x }) =>
        g.op(
          operator,
          [x],
          Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, float(value)])),
        ),
    }),
  );
}

const clip = (title: string, bounds: (g: GraphBuilder) => readonly string[]): GradientCase =>
  gradientCase(title, {
    inputs: { x: { dims: [3, 8], between: wide } },
    build: (g, { x }) => g.op("Clip", [x, ...bounds(g)]),
  });

export const activationCases: GradientCases = {
  Relu: activation("Relu"),
  LeakyRelu: [...activation("LeakyRelu"), ...activation("LeakyRelu", { alpha: 0.2 })],
  PRelu: [
    gradientCase("a slope for each channel", {
      inputs: { x: { dims: [2, 3, 4] }, slope: { dims: [3, 1], initializer: true } },
      build: (g, { x, slope }) => g.op("PRelu", [x, slope]),
    }),
    gradientCase("one slope, not asked for", {
      inputs: { x: { dims: [2, 3] }, slope: { dims: [1], checked: false } },
      build: (g, { x, slope }) => g.op("PRelu", [x, slope]),
    }),
  ],
  Elu: [...activation("Elu"), ...activation("Elu", { alpha: 0.7 })],
  Selu: [...activation("Selu"), ...activation("Selu", { alpha: 1.2, gamma: 0.8 })],
  Celu: [...activation("Celu"), ...activation("Celu", { alpha: 2.5 })],
  Softsign: activation("Softsign"),
  ThresholdedRelu: [...activation("ThresholdedRelu"), ...activation("ThresholdedRelu", { alpha: 0.3 })],
  Clip: [
    clip("no bounds", () => []),
    clip("both", (g) => [g.scalar(-1), g.scalar(2)]),
    clip("lower only", (g) => [g.scalar(0)]),
    clip("upper only", (g) => ["", g.scalar(1)]),
    clip("bounds that exclude each other", (g) => [g.scalar(1), g.scalar(-1)]),
    gradientCase("trained bounds", {
      inputs: {
        x: { dims: [3, 8], between: wide },
        low: { dims: [], values: [-1.5] },
        high: { dims: [], values: [2.5], initializer: true },
      },
      build: (g, { x, low, high }) => g.op("Clip", [x, low, high]),
    }),
    gradientCase("trained bounds that exclude each other", {
      inputs: { x: { dims: [9], between: wide }, low: { dims: [], values: [1] }, high: { dims: [], values: [-1] } },
      build: (g, { x, low, high }) => g.op("Clip", [x, low, high]),
    }),
    gradientCase("a trained upper bound alone", {
      inputs: { x: { dims: [9], between: wide }, high: { dims: [], values: [1] } },
      build: (g, { x, high }) => g.op("Clip", [x, "", high]),
    }),
  ],
  Sigmoid: activation("Sigmoid"),
  Tanh: activation("Tanh"),
  Softplus: activation("Softplus"),
  HardSigmoid: [...activation("HardSigmoid"), ...activation("HardSigmoid", { alpha: 0.4, beta: 0.3 })],
  HardSwish: activation("HardSwish"),
};
