/** @file Checks of the rule in `rules/resize.ts`. */

import { float32 } from "../../../core/tensor.js";
import { type GradientCase, type GradientCases, gradientCase } from "../gradient-case.js";

type Target = { readonly scales: readonly number[] } | { readonly sizes: readonly number[] };

function resize(dims: readonly number[], to: Target, attributes: Readonly<Record<string, string>>): GradientCase {
  const how = "scales" in to ? `by ${to.scales.join(" ")}` : `to ${to.sizes.join(" ")}`;
  return gradientCase(`[${dims}] ${how}, ${Object.values(attributes).join(" ")}`, {
    inputs: { x: { dims } },
    build: (g, { x }) =>
      g.op(
        "Resize",
        "scales" in to
          ? [x, "", g.initializer("scales", float32([to.scales.length], to.scales))]
          : [x, "", "", g.ints(to.sizes)],
        attributes,
      ),
  });
}

const nearest = (coordinates: string, rounding = "floor") => ({
  mode: "nearest",
  coordinate_transformation_mode: coordinates,
  nearest_mode: rounding,
});
const linear = (coordinates: string) => ({ mode: "linear", coordinate_transformation_mode: coordinates });

export const resizeCases: GradientCases = {
  Resize: [
    resize([2, 3, 3, 2], { scales: [1, 1, 2, 3] }, nearest("asymmetric")),
    resize([1, 2, 3, 2], { sizes: [1, 2, 6, 2] }, nearest("asymmetric")),
    resize([1, 2, 3, 2], { scales: [1, 1, 2, 2] }, nearest("half_pixel", "round_prefer_floor")),
    resize([1, 1, 3, 5], { scales: [1, 1, 3, 2] }, nearest("half_pixel", "round_prefer_ceil")),
    resize([1, 2, 3, 3], { scales: [1, 1, 2, 2] }, nearest("asymmetric", "ceil")),
    resize([1, 1, 3, 5], { sizes: [1, 1, 4, 7] }, nearest("asymmetric")),
    resize([2, 1, 7, 5], { sizes: [2, 1, 3, 2] }, nearest("half_pixel", "round_prefer_floor")),
    resize([1, 1, 3, 3], { sizes: [1, 1, 5, 8] }, nearest("align_corners", "round_prefer_ceil")),
    resize([1, 3, 2, 4], { scales: [1, 2, 2, 1] }, nearest("asymmetric")),
    resize([2, 2, 3, 4], { scales: [1, 1, 2, 2] }, linear("half_pixel")),
    resize([1, 2, 3, 5], { sizes: [1, 2, 7, 4] }, linear("half_pixel")),
    resize([1, 2, 3, 4], { scales: [1, 1, 1.5, 2.5] }, linear("asymmetric")),
    resize([2, 1, 3, 4], { sizes: [2, 1, 5, 9] }, linear("align_corners")),
    resize([1, 2, 4, 3], { sizes: [1, 2, 1, 5] }, linear("pytorch_half_pixel")),
    resize([1, 3, 5, 2], { scales: [1, 2, 2, 1] }, linear("half_pixel")),
    resize([2, 3], { sizes: [4, 3] }, linear("half_pixel")),
    resize([1, 2, 3, 4], { scales: [1, 1, 1, 1] }, linear("half_pixel")),
    gradientCase("upsampling by the data's own shape, as TensorFlow exports it", {
      inputs: { x: { dims: [1, 2, 3, 2] } },
      build: (g, { x }) => {
        const spatial = g.op("Slice", [g.op("Shape", [x]), g.ints([2]), g.ints([4]), g.ints([0])]);
        const sizes = g.op("Concat", [g.ints([1, 2]), g.op("Mul", [spatial, g.ints([2])])], { axis: 0 });
        return g.op("Resize", [x, "", "", sizes], linear("half_pixel"));
      },
    }),
  ],
};
