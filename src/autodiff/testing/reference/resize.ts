/** @file Resize by nearest and linear interpolation, from the definition of its coordinates. */

import { type Node, stringAttribute } from "../../../onnx/graph.js";
import { at, type Kernels, tabulate } from "./kernel.js";

/** Where one element of an axis comes from: elements of the input and their weights. */
type Source = readonly (readonly [place: number, weight: number])[];

export const resizeKernels: Kernels = {
  Resize: ({ input, optional, node }) => {
    const x = input(0);
    const scales = optional(2)?.data ?? [];
    const dims = x.dims.map((dim, axis) =>
      scales.length > 0 ? Math.floor(dim * (scales[axis] ?? 1)) : (optional(3)?.data[axis] ?? dim),
    );
    const sources = x.dims.map((from, axis) => {
      const to = dims[axis] ?? 1;
      const scale = scales[axis] ?? to / from;
      return Array.from({ length: to }, (_, i) => sourceOf(node, coordinate(node, i, { from, to, scale }), from));
    });
    return [
      tabulate(dims, (index) => {
        const sum = (axis: number, place: readonly number[]): number => {
          const choices = sources[axis]?.[index[axis] ?? 0];
          if (choices === undefined) return at(x, place);
          return choices.reduce((total, [i, weight]) => total + weight * sum(axis + 1, [...place, i]), 0);
        };
        return sum(0, []);
      }),
    ];
  },
};

function coordinate(
  node: Node,
  i: number,
  { from, to, scale }: { readonly from: number; readonly to: number; readonly scale: number },
): number {
  const mode = stringAttribute(node, "coordinate_transformation_mode", "half_pixel");
  switch (mode) {
    case "asymmetric":
      return i / scale;
    case "half_pixel":
      return (i + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return to > 1 ? (i + 0.5) / scale - 0.5 : 0;
    case "align_corners":
      return to === 1 ? 0 : (i * (from - 1)) / (to - 1);
    default:
      throw new Error(`the reference does not resize by ${mode}`);
  }
}

function sourceOf(node: Node, x: number, size: number): Source {
  const clamp = (place: number): number => Math.min(Math.max(place, 0), size - 1);
  if (stringAttribute(node, "mode", "nearest") === "linear") {
    const inside = clamp(x);
    const low = Math.floor(inside);
    return [
      [low, 1 - (inside - low)],
      [clamp(low + 1), inside - low],
    ];
  }
  const rounding: Readonly<Record<string, (x: number) => number>> = {
    floor: Math.floor,
    ceil: Math.ceil,
    round_prefer_floor: (value) => Math.ceil(value - 0.5),
    round_prefer_ceil: (value) => Math.floor(value + 0.5),
  };
  const round = rounding[stringAttribute(node, "nearest_mode", "round_prefer_floor")] ?? Math.round;
  return [[clamp(round(x)), 1]];
}
