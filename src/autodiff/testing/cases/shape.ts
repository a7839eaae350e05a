/** @file Checks of the rules in `rules/shape.ts` and `rules/dropout.ts`. */

import { int64, type Tensor } from "../../../core/tensor.js";
import { dataTypeOf } from "../../../onnx/tensor-proto.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

const vector = (values: readonly number[]): Tensor => int64([values.length], values);

/** An operator with a second input of int64 numbers. */
function withNumbers(operator: string, dims: readonly number[], numbers: readonly number[]): GradientCase {
  return gradientCase(`[${dims}], ${numbers.join(" ")}`, {
    inputs: { x: { dims } },
    build: (g, { x }) => g.op(operator, [x, g.initializer("numbers", vector(numbers))]),
  });
}

const withAttributes = (operator: string, dims: readonly number[], attributes: Record<string, number | number[]>) =>
  gradientCase(`[${dims}] ${JSON.stringify(attributes)}`, {
    inputs: { x: { dims } },
    build: (g, { x }) => g.op(operator, [x], attributes),
  });

export const shapeCases: GradientCases = {
  Reshape: [
    withNumbers("Reshape", [2, 6], [3, 4]),
    withNumbers("Reshape", [2, 3, 4], [0, -1]),
    withNumbers("Reshape", [1], []),
    withNumbers("Reshape", [2, 3], [2, 3]),
    gradientCase("to a shape computed from that of a weight", {
      inputs: { x: { dims: [2, 6] }, w: { dims: [3, 4] } },
      build: (g, { x, w }) => g.op("Mul", [g.op("Reshape", [x, g.op("Shape", [w])]), w]),
    }),
  ],
  Flatten: [
    withAttributes("Flatten", [2, 3, 4], {}),
    withAttributes("Flatten", [2, 3, 4], { axis: 0 }),
    withAttributes("Flatten", [2, 3, 4], { axis: -1 }),
    withAttributes("Flatten", [2, 3], {}),
  ],
  Squeeze: [
    withNumbers("Squeeze", [2, 1, 3, 1], [1]),
    withNumbers("Squeeze", [2, 1, 3, 1], [-1, 1]),
    withAttributes("Squeeze", [1, 2, 1], {}),
  ],
  Unsqueeze: [
    withNumbers("Unsqueeze", [2, 3], [0, -1]),
    withNumbers("Unsqueeze", [2, 3], [1]),
    withNumbers("Unsqueeze", [], [0]),
  ],
  Identity: [withAttributes("Identity", [2, 3], {}), withAttributes("Identity", [], {})],
  Transpose: [
    withAttributes("Transpose", [2, 3, 4], {}),
    withAttributes("Transpose", [2, 3, 4], { perm: [1, 2, 0] }),
    withAttributes("Transpose", [2, 3, 4, 5], { perm: [3, 0, 2, 1] }),
    withAttributes("Transpose", [4], {}),
  ],
  Expand: [
    withNumbers("Expand", [3, 1], [2, 3, 4]),
    withNumbers("Expand", [], [2, 2]),
    withNumbers("Expand", [2, 3], [1]),
    withNumbers("Expand", [1, 2], [1, 1, 2]),
  ],
  Cast: [
    withAttributes("Cast", [2, 3], { to: dataTypeOf("float32") }),
    gradientCase("to float64 and back", {
      inputs: { x: { dims: [2, 3] } },
      build: (g, { x }) => {
        const double = g.op("Cast", [x], { to: dataTypeOf("float64") });
        return g.op("Cast", [g.op("Mul", [double, double])], { to: dataTypeOf("float32") });
      },
    }),
    gradientCase("to float16 and back", {
      // Powers of two are exact in float16; the gradient, which passes it too, is rounded to 11 bits: 5e-4.
      inputs: { x: { dims: [4], values: [0.5, -2, 4, -0.25] } },
      tolerance: 1e-3,
      build: (g, { x }) => {
        const half = g.op("Cast", [x], { to: dataTypeOf("float16") });
        return g.op("Cast", [g.op("Mul", [half, half])], { to: dataTypeOf("float32") });
      },
    }),
    gradientCase("to booleans, through which nothing flows", {
      inputs: { x: { dims: [4] } },
      build: (g, { x }) => {
        const mask = g.op("Cast", [g.op("Cast", [x], { to: dataTypeOf("bool") })], { to: dataTypeOf("float32") });
        return g.op("Mul", [x, mask]);
      },
    }),
    gradientCase("to integers, through which nothing flows", {
      inputs: { x: { dims: [4], values: [0.4, 1.6, -2.3, 3.5] } },
      build: (g, { x }) => {
        const whole = g.op("Cast", [g.op("Cast", [x], { to: dataTypeOf("int64") })], { to: dataTypeOf("float32") });
        return g.op("Mul", [x, whole]);
      },
    }),
  ],
  CastLike: [
    gradientCase("like the same type", {
      inputs: { x: { dims: [2, 3] }, like: { dims: [1], checked: false } },
      build: (g, { x, like }) => g.op("CastLike", [g.op("Mul", [x, x]), like]),
    }),
    gradientCase("to float64 and back", {
      inputs: { x: { dims: [3] } },
      build: (g, { x }) => {
        const like = g.initializer("like", { type: "float64", dims: [], data: new Float64Array(1) });
        const double = g.op("CastLike", [x, like]);
        return g.op("CastLike", [g.op("Mul", [double, double]), x]);
      },
    }),
  ],
  Dropout: [
    withAttributes("Dropout", [2, 3], {}),
    gradientCase("with a ratio, not in training", {
      inputs: { x: { dims: [2, 3] } },
      build: (g, { x }) => g.op("Dropout", [x, g.scalar(0.3)]),
    }),
    gradientCase("training_mode false, mask not used", {
      inputs: { x: { dims: [4] } },
      build: (g, { x }) => {
        const off = g.initializer("training", { type: "bool", dims: [], data: Uint8Array.of(0) });
        const [y = ""] = g.ops("Dropout", [x, g.scalar(0.3), off], 2);
        return y;
      },
    }),
  ],
};
