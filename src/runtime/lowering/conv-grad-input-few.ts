/**
 * @file The gradient of a convolution to an input of few channels, in the nchwc layout.
 *
 * Few channels fill no block, so neighbours in a row stand beside each other in one: a convolution that moves on by as
 * many cells as there are neighbours, and whose kernel holds the rotated one once for each of them, shifted by a cell.
 * All images stand in one row, with as many zeros between them as windows reach over. The result has images side by
 * side in blocks.
 */

import { type ConvGeometry, convGeometry, extent, leftover, type WindowAxis } from "../../autodiff/windows.js";
import { float32 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { nchwcConv, blockInwards, ones, perChannel, picked } from "./nchwc.js";
import { channelsOf, type Emission, imagesOf, type Kernel } from "./rewrite.js";

export const neighboursConvGradInput: Kernel = {
  name: "neighbours",
  match({ node, device, block }) {
    const geometry = convGeometry(node);
    const { xDims, yDims, axes, group } = geometry;
    const [n = 1, channels = 1] = xDims;
    if (device !== "cpu" || block === undefined || group !== 1 || axes.length !== 2) return undefined;
    if (n % block !== 0 || (yDims[1] ?? 1) % block !== 0 || channels > block / 2) return undefined;
    if (!axes.every((axis) => axis.stride === 1 && axis.dilation === 1 && padsOf(axis).every((pad) => pad >= 0))) {
      return undefined;
    }
    return {
      reads: [channelsOf(yDims)],
      gives: imagesOf(xDims),
      append: (emission) => sideBySide(emission, geometry, block),
    };
  },
};

function sideBySide({ b, input }: Emission, { xDims, yDims, wDims, axes }: ConvGeometry, block: number): string {
  const [n = 1, c = 1, height = 1, width = 1] = xDims;
  const [, m = 1, rows = 1, columns = 1] = yDims;
  const [, , down = 1, across = 1] = wDims;
  const [[top = 0, bottom = 0] = [], [left = 0, right = 0] = []] = axes.map(padsOf);
  const neighbours = 2 ** Math.floor(Math.log2(block / c));
  const steps = Math.ceil(Math.max(width, columns + Math.max(left, right)) / neighbours);

  const gap = steps * neighbours - columns;
  const spaced = perChannel(b, input(0), m, { scale: ones(b, m), pads: [0, 0, 0, gap] });
  const lines = b.op("Reshape", [spaced, b.ints([n, (m / block) * rows, steps * neighbours * block])]);
  const row = b.op("Transpose", [lines], { perm: [1, 0, 2] });
  const y = nchwcConv(
    b,
    [
      b.op("Reshape", [row, b.ints([1, m, rows, n * steps * neighbours])]),
      shiftedKernels(b, input(1), wDims, { neighbours, block }),
    ],
    {
      kernel: [down, across + neighbours - 1],
      strides: [1, neighbours],
      pads: [top, left, bottom, across - 1 - left],
    },
  );

  // [height, N/b, b images, steps, lanes] → [C, N/b, height, width, b images]
  const batches = n / block;
  const inward = blockInwards(b, y, height * batches, block, steps * block);
  const cells = b.op("Reshape", [inward, b.ints([height * batches * steps * block, block])]);
  const order = Array.from({ length: c * batches * height * width }, (_, i) => {
    const [x, line] = [i % width, Math.floor(i / width)];
    const [atRow, batch] = [line % height, Math.floor(line / height) % batches];
    const channel = Math.floor(line / height / batches);
    const step = (atRow * batches + batch) * steps + Math.floor(x / neighbours);
    return step * block + (x % neighbours) * (block / neighbours) + channel;
  });
  const dx = picked(b, cells, height * batches * steps * block, order);
  return b.op("Reshape", [dx, b.ints([c, n, height, width])]);
}

/** Zeros before and after dy that the windows of the transposed convolution read. */
function padsOf(axis: WindowAxis): number[] {
  const reach = extent(axis) - 1;
  return [reach - axis.begin, reach - axis.end + leftover(axis)];
}

/**
 * [M, C, h, w] → [b lanes, M, h, w + neighbours − 1] in blocks, where lanes are the channels of each neighbour in turn,
 * with room: the rotated kernel, for each neighbour one cell further. So few numbers are picked one by one.
 */
function shiftedKernels(
  b: GraphBuilder,
  w: string,
  [m = 1, c = 1, height = 1, width = 1]: readonly number[],
  { neighbours, block }: { neighbours: number; block: number },
): string {
  const [lanes, columns, numbers] = [block / neighbours, width + neighbours - 1, m * c * height * width];
  const order = Array.from({ length: m * height * columns * block }, (_, i) => {
    const [lane, input] = [i % block, Math.floor(i / block) % block];
    const [column, rest] = [Math.floor(i / block ** 2) % columns, Math.floor(i / block ** 2 / columns)];
    const [row, inputs] = [rest % height, Math.floor(rest / height)];
    const [channel, x] = [lane % lanes, column - Math.floor(lane / lanes)];
    if (channel >= c || x < 0 || x >= width) return numbers;
    return (((inputs * block + input) * c + channel) * height + height - 1 - row) * width + width - 1 - x;
  });
  const flat = b.op("Reshape", [w, b.ints([-1])]);
  const zero = b.initializer("zero", float32([1], [0]));
  const kernel = picked(b, b.op("Concat", [flat, zero], { axis: 0 }), numbers + 1, order);
  return b.op("Reshape", [kernel, b.ints([block, m, height, columns])]);
}
