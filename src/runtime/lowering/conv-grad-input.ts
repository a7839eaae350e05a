/**
 * @file ConvGradInput(dy, w): the gradient of a convolution to its input, which is also a forward ConvTranspose.
 *
 * dx[n, c, i] = Σ dy[n, m, o] · w[m, c, k] over all m, o, k with i = o·stride + k·dilation − begin.
 */

import { type ConvGeometry, convGeometry, extent, leftover, transposeAttributes } from "../../autodiff/windows.js";
import { elementCount } from "../../core/tensor.js";
import type { Lowering, LoweringFamily } from "./lowering.js";

/** A `ConvTranspose`: any stride, padding, dilation and group. */
const transposed: Lowering = {
  name: "transposed",
  supports: () => true,
  append({ node, b, input }) {
    const { axes, group } = convGeometry(node);
    return b.op("ConvTranspose", [input(0), input(1)], { ...transposeAttributes(axes), group });
  },
};

/** At stride 1, the `Conv` of dy with the kernel turned by 180° and its channel axes exchanged. */
const rotated: Lowering = {
  name: "rotated",
  supports(node) {
    const { axes } = convGeometry(node);
    return axes.every(({ stride }) => stride === 1) && rotatedPads(convGeometry(node)).every((pad) => pad >= 0);
  },
  append({ node, b, input }) {
    const geometry = convGeometry(node);
    const { axes, wDims, group } = geometry;
    const [m = 1, c = 1, ...kernel] = wDims;
    const spatial = kernel.map((_, i) => i);
    const turned = kernel.some((size) => size > 1)
      ? b.op("Slice", [
          input(1),
          b.ints(kernel.map(() => -1)),
          b.ints(kernel.map((size) => -size - 1)),
          b.ints(spatial.map((i) => i + 2)),
          b.ints(kernel.map(() => -1)),
        ])
      : input(1);
    let exchanged: string;
    if (group === 1) {
      exchanged = b.op("Transpose", [turned], { perm: [1, 0, ...spatial.map((i) => i + 2)] });
    } else {
      const split = b.op("Reshape", [turned, b.ints([group, m / group, c, ...kernel])]);
      const swapped = b.op("Transpose", [split], { perm: [0, 2, 1, ...spatial.map((i) => i + 3)] });
      exchanged = b.op("Reshape", [swapped, b.ints([group * c, m / group, ...kernel])]);
    }
    return b.op("Conv", [input(0), exchanged], {
      pads: rotatedPads(geometry),
      dilations: axes.map((axis) => axis.dilation),
      group,
    });
  },
};

function rotatedPads({ axes }: ConvGeometry): number[] {
  return [
    ...axes.map((axis) => extent(axis) - 1 - axis.begin),
    ...axes.map((axis) => extent(axis) - 1 - axis.end + leftover(axis)),
  ];
}

export const convGradInput: LoweringFamily = {
  operator: "ConvGradInput",
  lowerings: [transposed, rotated],
  /**
   * `rotated` multiplies once a cell of x, `transposed` once a window, and then has to add up: with padding, where both
   * are about as many, the former took 0.5 to 0.8 of the latter's time; for LeNet's 5×5 kernels without padding, 3 times.
   */
  choose(node, device) {
    const { xDims, yDims } = convGeometry(node);
    const padded = elementCount(xDims.slice(2)) <= 1.3 * elementCount(yDims.slice(2));
    return padded && rotated.supports(node, device) ? rotated.name : transposed.name;
  },
};
