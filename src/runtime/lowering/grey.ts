/**
 * @file Convolutions of one channel, as of grey images, with images side by side in blocks.
 *
 * One channel fills no block, but images do: with the first two axes exchanged, N grey images are one image of N channels,
 * and a filter is a depthwise convolution of that. So is its gradient: the kernel is then the gradient of what the filter
 * gave. Nothing is multiplied that an ordinary convolution would not multiply, and nothing is laid out as a matrix.
 */

import {
  convGeometry,
  leftover,
  plannedWindows,
  readEnd,
  stepAttributes,
  type WindowAxis,
} from "../../autodiff/windows.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { intAttribute } from "../../onnx/graph.js";
import { blockedConv, blockedOp, ones, perChannel } from "./blocked.js";
import type { FormContext } from "./blocked-forms.js";
import type { Layouts } from "./layouts.js";
import type { Lowering } from "./lowering.js";

/** A convolution of one channel together with the Relu that alone reads it; such results go on to be pooled in blocks. */
export function greyConvolution({ node, b, layouts, block, dims, soleReader }: FormContext): boolean {
  const [x = "", w = "", bias = ""] = node.inputs;
  const [xDims = [], wDims = []] = [dims(x), dims(w)];
  const [n = 1, channels] = xDims;
  const [filters = 1, , ...kernel] = wDims;
  const relu = soleReader(node.outputs[0] ?? "");
  const axes = plannedWindows(node, xDims, kernel);
  const fits = channels === 1 && n % block === 0 && filters % block !== 0 && intAttribute(node, "group", 1) === 1;
  if (!fits || axes?.length !== 2 || relu?.opType !== "Relu") return false;

  const image = paddedImages(b, layouts, x, axes, n);
  const kernels = perFilter(b, layouts.plain(w), kernel, { filters, n, block });
  const biases = bias === "" ? [] : perFilter(b, layouts.plain(bias), [], { filters, n, block });
  const { strides = [], dilations = [] } = stepAttributes(axes);
  const maps = kernels.map((filter, i) =>
    blockedConv(b, [image, filter, ...biases.slice(i, i + 1)], {
      kernel,
      strides,
      dilations,
      group: n,
      activation: "Relu",
    }),
  );
  const yDims = [n, filters, ...axes.map((axis) => axis.output)];
  layouts.give(relu.outputs[0] ?? "", b.op("Concat", maps, { axis: 0 }), yDims, "images");
  return true;
}

/** The gradient to the filters: of each image by itself, then the sum. */
export const greyConvGradWeight: Lowering = {
  name: "image-blocks",
  supports(node, device, block) {
    const { xDims, axes } = convGeometry(node);
    const [n = 1, channels] = xDims;
    if (device !== "cpu" || block === undefined || channels !== 1 || n % block !== 0) return false;
    // Cells that no window reaches would give more taps than the kernel has.
    return axes.length === 2 && axes.every((axis) => leftover(axis) - axis.end < axis.dilation);
  },
  append({ node, b, layouts }) {
    const { yDims, axes } = convGeometry(node);
    const [n = 1, filters = 1, ...windows] = yDims;
    const [x = "", dy = ""] = node.inputs;
    const image = paddedImages(b, layouts, x, axes, n);
    const { strides = [], dilations = [] } = stepAttributes(axes);
    const maps = b.op("Reshape", [
      layouts.at(dy, { dims: yDims, lanes: "images" }),
      b.ints([filters * n, 1, ...windows]),
    ]);
    const sums = split(b, maps, filters, n).map((map) =>
      blockedConv(b, [image, map], {
        kernel: windows,
        strides: dilations,
        dilations: strides,
        group: n,
      }),
    );
    const perImage = blockedOp(b, "ReorderOutput", [b.op("Concat", sums, { axis: 0 })], { channels: n });
    return b.op("ReduceSum", [perImage, b.ints([1])], { keepdims: 1 });
  },
};

/** [1, N, H, W] in blocks, with the padding that windows read: both passes want it. */
function paddedImages(b: GraphBuilder, layouts: Layouts, x: string, axes: readonly WindowAxis[], n: number): string {
  const dims = [n, 1, ...axes.map((axis) => axis.input)];
  const image = layouts.at(x, { dims, lanes: "images" });
  const pads = [...axes.map((axis) => axis.begin), ...axes.map(readEnd)];
  if (pads.every((pad) => pad === 0)) return image;
  return layouts.once(`images ${x} ${pads}`, () => perChannel(b, image, n, { scale: ones(b, n), pads }));
}

/** A filter's numbers, each repeated for all images as depthwise convolutions take them: [filters, …dims] → [N, 1, …dims] of each. */
function perFilter(
  b: GraphBuilder,
  value: string,
  dims: readonly number[],
  { filters, n, block }: { filters: number; n: number; block: number },
): string[] {
  const numbers = b.op("Reshape", [value, b.ints([filters, 1, -1, 1])]);
  const size = dims.reduce((product, dim) => product * dim, 1);
  const repeated = b.op("Expand", [numbers, b.ints([filters, n / block, size, block])]);
  const all = b.op("Reshape", [repeated, b.ints(dims.length === 0 ? [filters * n] : [filters * n, 1, ...dims])]);
  return split(b, all, filters, n);
}

/** So many values of `length` places on the first axis. */
function split(b: GraphBuilder, value: string, parts: number, length: number): string[] {
  return parts === 1 ? [value] : b.ops("Split", [value, b.ints(Array<number>(parts).fill(length))], parts, { axis: 0 });
}
