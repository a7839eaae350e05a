/**
 * @file Operators that put the elements of a tensor in other places by a fixed pattern, repeat them, or sum them up.
 */

import { intAttribute, stringAttribute } from "../../../onnx/graph.js";
import { at, type Kernels, positiveAxis, tabulate } from "./kernel.js";

export const rearrangeKernels: Kernels = {
  DepthToSpace: ({ input, node }) => {
    const x = input(0);
    const size = intAttribute(node, "blocksize", 1);
    const columnFirst = stringAttribute(node, "mode", "DCR") === "DCR";
    const [n = 1, channels = 1, height = 1, width = 1] = x.dims;
    const depth = channels / size ** 2;
    return [
      tabulate([n, depth, height * size, width * size], ([i = 0, c = 0, y = 0, z = 0]) => {
        const place = (y % size) * size + (z % size);
        const channel = columnFirst ? place * depth + c : c * size ** 2 + place;
        return at(x, [i, channel, Math.floor(y / size), Math.floor(z / size)]);
      }),
    ];
  },
  SpaceToDepth: ({ input, node }) => {
    const x = input(0);
    const size = intAttribute(node, "blocksize", 1);
    const [n = 1, depth = 1, height = 1, width = 1] = x.dims;
    return [
      tabulate([n, depth * size ** 2, height / size, width / size], ([i = 0, channel = 0, y = 0, z = 0]) => {
        const place = Math.floor(channel / depth);
        return at(x, [i, channel % depth, y * size + Math.floor(place / size), z * size + (place % size)]);
      }),
    ];
  },
  Tile: ({ input }) => {
    const x = input(0);
    const dims = x.dims.map((dim, axis) => dim * (input(1).data[axis] ?? 1));
    return [
      tabulate(dims, (index) =>
        at(
          x,
          index.map((place, axis) => place % (x.dims[axis] ?? 1)),
        ),
      ),
    ];
  },
  CumSum: ({ input, node }) => {
    const x = input(0);
    const axis = positiveAxis(input(1).data[0] ?? 0, x.dims.length);
    const reverse = intAttribute(node, "reverse", 0) === 1;
    const exclusive = intAttribute(node, "exclusive", 0) === 1;
    return [
      tabulate(x.dims, (index) => {
        const here = index[axis] ?? 0;
        let total = 0;
        for (let place = 0; place < (x.dims[axis] ?? 0); place++) {
          const before = reverse ? place > here : place < here;
          if (before || (place === here && !exclusive)) total += at(x, index.with(axis, place));
        }
        return total;
      }),
    ];
  },
  Trilu: ({ input, optional, node }) => {
    const k = optional(1)?.data[0] ?? 0;
    const upper = intAttribute(node, "upper", 1) === 1;
    return [
      tabulate(input(0).dims, (index) => {
        const diagonal = (index.at(-1) ?? 0) - (index.at(-2) ?? 0);
        return (upper ? diagonal >= k : diagonal <= k) ? at(input(0), index) : 0;
      }),
    ];
  },
};
