/**
 * @file Maximum pooling of images in blocks, whatever their lanes, where windows tile the image; other windows are pooled
 * in plain order.
 *
 * ONNX Runtime finds the places of maxima (`Indices`) one number at a time, and only in plain order: at 28×28 that alone
 * took a sixth of a LeNet-5 step. In blocks the maxima are quick to have, and the gradient is worked out from them.
 */

import { plannedWindows, poolGeometry, taps, tiling, type WindowAxis } from "../../autodiff/windows.js";
import { float32 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { intsAttribute, operatorName } from "../../onnx/graph.js";
import { blockedConv, blockedOp } from "./blocked.js";
import { type FormContext, gated } from "./blocked-forms.js";

export function maxPool({ node, b, layouts }: FormContext): boolean {
  const [x = "", y = ""] = [...node.inputs, ...node.outputs];
  const place = layouts.place(x);
  if (place === undefined || node.outputs.length > 1) return false;
  const axes = plannedWindows(node, place.dims, intsAttribute(node, "kernel_shape") ?? []);
  if (axes === undefined || !tiling(axes)) return false;
  const kernel = axes.map((axis) => axis.kernel);
  const pooled = blockedOp(b, "MaxPool", [layouts.at(x, place)], { kernel_shape: kernel, strides: kernel });
  layouts.give(y, pooled, [...place.dims.slice(0, 2), ...axes.map((axis) => axis.output)], place.lanes);
  return true;
}

/**
 * Each cell of a window in turn takes what earlier ones have left of the window's gradient, if it holds the maximum; the
 * last one takes the rest. Where a Relu made the image, its gradient is taken before the windows' are spread: a quarter of
 * the work at 2×2.
 */
export function maxPoolGrad({ node, b, layouts, block, soleReader }: FormContext): boolean {
  const [x = "", y = "", dy = "", dx = ""] = [...node.inputs, ...node.outputs];
  const place = layouts.place(x);
  const { axes, yDims, xDims } = poolGeometry(node);
  if (place === undefined || axes.length !== 2 || !tiling(axes)) return false;
  const [n = 1, c = 1, ...sizes] = xDims;
  const physical = place.lanes === "channels" ? [n, c, ...sizes] : [c, n, ...sizes];
  const image = layouts.at(x, place);
  const maxima = layouts.at(y, { ...place, dims: yDims });
  const reader = soleReader(dx);
  const activated = reader !== undefined && operatorName(reader) === "wildmark.ReluGrad" && reader.inputs[1] === x;

  const gradient = layouts.at(dy, { ...place, dims: yDims });
  let left = activated ? gated(b, gradient, maxima) : gradient;
  const shares = taps(axes)
    .slice(0, -1)
    .map((tap) => {
      const share = b.op("Mul", [
        left,
        holdsMaximum(b, image, maxima, { channels: physical[1] ?? 1, block, axes, tap }),
      ]);
      left = b.op("Sub", [left, share]);
      return share;
    });
  const spread = b.op("Reshape", [interleaved(b, [...shares, left], axes, (n * c) / block, block), b.ints(physical)]);
  layouts.give(activated ? (reader.outputs[0] ?? "") : dx, spread, xDims, place.lanes);
  return true;
}

/**
 * 1 where the cell `tap` of a window holds its maximum, else 0: maximum − cell, never below 0, as a depthwise convolution
 * that picks the cell, and then 1 − 3.4e38 times that, at least 0.
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
  return blockedConv(b, [image, picking, "", maxima], {
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
