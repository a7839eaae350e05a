/**
 * @file The gradient of maximum pooling of images in blocks, whatever their lanes, where windows tile the image.
 *
 * ONNX Runtime finds the places of maxima (`Indices`) one number at a time, and only in plain order: at 28×28 that
 * alone took a sixth of a LeNet-5 step. In blocks the maxima are quick to have, and the gradient is worked out from
 * them.
 */

import { poolGeometry, taps, tiling, type WindowAxis } from "../../autodiff/windows.js";
import { float32 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { operatorName } from "../../onnx/graph.js";
import { nchwcConv } from "./nchwc.js";
import { gated } from "./relu-grad.js";
import type { Kernel } from "./rewrite.js";

/**
 * Each cell of a window in turn takes what earlier ones have left of the window's gradient, if it holds the maximum;
 * the last one takes the rest. Where a Relu made the image, its gradient is taken before the windows' are spread: a
 * quarter of the work at 2×2.
 */
export const nchwcMaxPoolGrad: Kernel = {
  name: "nchwc",
  match({ node, block, place, soleReader }) {
    const [x = "", dx = ""] = [...node.inputs.slice(0, 1), ...node.outputs];
    const lying = place(x);
    const { axes, yDims, xDims } = poolGeometry(node);
    if (block === undefined || lying === undefined || axes.length !== 2 || !tiling(axes)) return undefined;
    const [n = 1, c = 1, ...sizes] = xDims;
    const physical = lying.lanes === "channels" ? [n, c, ...sizes] : [c, n, ...sizes];
    const reader = soleReader(dx);
    const activated = reader !== undefined && operatorName(reader) === "wildmark.ReluGrad" && reader.inputs[1] === x;
    const pooled = { ...lying, dims: yDims };
    return {
      reads: [lying, pooled, pooled],
      gives: { ...lying, dims: xDims },
      along: activated ? reader : undefined,
      append({ b, input }) {
        const [image, maxima, gradient] = [input(0), input(1), input(2)];
        let left = activated ? gated(b, gradient, maxima) : gradient;
        const shares = taps(axes)
          .slice(0, -1)
          .map((tap) => {
            const holds = holdsMaximum(b, image, maxima, { channels: physical[1] ?? 1, block, axes, tap });
            const share = b.op("Mul", [left, holds]);
            left = b.op("Sub", [left, share]);
            return share;
          });
        const cells = interleaved(b, [...shares, left], axes, (n * c) / block, block);
        return b.op("Reshape", [cells, b.ints(physical)]);
      },
    };
  },
};

/**
 * 1 where the cell `tap` of a window holds its maximum, else 0: maximum − cell, never below 0, as a depthwise
 * convolution that picks the cell, and then 1 − 3.4e38 times that, at least 0.
 */
function holdsMaximum(
  b: GraphBuilder,
  image: string,
  maxima: string,
  {
    channels,
    block,
    axes,
    tap,
  }: { channels: number; block: number; axes: readonly WindowAxis[]; tap: readonly number[] },
): string {
  const kernel = axes.map((axis) => axis.kernel);
  const [row = 0, column = 0] = tap;
  const [height = 1, width = 1] = kernel;
  // In blocks the channels run fastest, so that a tap is a stretch of them.
  const picks = Float32Array.from({ length: channels * height * width }, (_, i) =>
    Math.floor(i / block) % (height * width) === row * width + column ? -1 : 0,
  );
  const picking = b.initializer("picking", float32([channels, 1, ...kernel], picks));
  return nchwcConv(b, [image, picking, "", maxima], {
    kernel,
    strides: kernel,
    group: channels,
    activation: "HardSigmoid",
    parameters: [-3.4e38, 1],
  });
}

/** One image from one value for each cell of a window, in row-major order, all of `images` lines of blocks. */
function interleaved(
  b: GraphBuilder,
  cells: readonly string[],
  [down, across]: readonly WindowAxis[],
  images: number,
  block: number,
): string {
  const [lines, windows, columns] = [images * (down?.output ?? 1), across?.output ?? 1, across?.kernel ?? 1];
  const alternate = (parts: readonly string[], before: number, after: number): string =>
    b.op(
      "Concat",
      parts.map((part) => b.op("Reshape", [part, b.ints([before, after])])),
      { axis: 1 },
    );
  const rows = Array.from({ length: down?.kernel ?? 1 }, (_, row) =>
    alternate(cells.slice(row * columns, (row + 1) * columns), lines * windows, block),
  );
  return alternate(rows, lines, windows * columns * block);
}
