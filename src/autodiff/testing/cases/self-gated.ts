/** @file Checks of the rules in `rules/self-gated.ts`. */

import { float } from "../../../onnx/builder.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

const between = [-4, 4] as const;
const microsoft = { domain: "com.microsoft" } as const;

interface Gated {
  readonly domain?: string;
  readonly opset?: number;
  readonly alpha?: number;
  readonly approximate?: string;
}

function gated(operator: string, { domain = "", opset = 21, alpha, approximate }: Gated = {}): GradientCase[] {
  const attributes = {
    ...(alpha === undefined ? {} : { alpha: float(alpha) }),
    ...(approximate === undefined ? {} : { approximate }),
  };
  return [[2, 3, 4], [31], [1, 5]].map((dims) =>
    gradientCase([`[${dims}]`, alpha, approximate].filter((part) => part !== undefined).join(", "), {
      inputs: { x: { dims, between } },
      build: (b, { x }) => b.op(operator, [x], attributes, { domain }),
      opset,
    }),
  );
}

const biased = (operator: string): GradientCase[] => [
  gradientCase("a bias", {
    inputs: { x: { dims: [2, 3, 4], between }, bias: { dims: [4], initializer: true } },
    build: (b, { x, bias }) => b.op(operator, [x, bias], {}, microsoft),
  }),
  gradientCase("a bias, asked for alone", {
    inputs: { x: { dims: [5, 3], between, checked: false }, bias: { dims: [3] } },
    build: (b, { x, bias }) => b.op(operator, [x, bias], {}, microsoft),
  }),
];

export const selfGatedCases: GradientCases = {
  Gelu: [...gated("Gelu"), ...gated("Gelu", { approximate: "tanh" })],
  "com.microsoft.Gelu": gated("Gelu", microsoft),
  "com.microsoft.BiasGelu": biased("BiasGelu"),
  "com.microsoft.FastGelu": [...gated("FastGelu", microsoft), ...biased("FastGelu")],
  "com.microsoft.QuickGelu": [
    ...gated("QuickGelu", microsoft),
    ...gated("QuickGelu", { ...microsoft, alpha: 0.7 }),
    ...gated("QuickGelu", { ...microsoft, alpha: 1 }),
  ],
  Swish: [...gated("Swish", { opset: 24 }), ...gated("Swish", { opset: 24, alpha: 2.5 })],
  Mish: gated("Mish"),
};
