/**
 * @file Convolutions of one channel, as of grey images, with images side by side in blocks.
 *
 * One channel fills no block, but images do: with the first two axes exchanged, N grey images are one image of N
 * channels, and a filter is a depthwise convolution of that. So is its gradient: the kernel is then the gradient of
 * what the filter gave. Nothing is multiplied that an ordinary convolution would not multiply, and nothing is laid out
 * as a matrix.
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
import { nchwcConv, nchwcOp, ones, perChannel } from "./nchwc.js";
import { type Emission, imagesOf, type Kernel } from "./rewrite.js";

/**
 * A convolution of one channel together with the Relu that alone reads it; such results go on to be pooled in blocks.
 */
export const greyConvolution: Kernel = {
  name: "image-blocks",
  match({ node, block, dims, soleReader }) {
    const [x = "", w = "", bias = ""] = node.inputs;
    const [xDims = [], wDims = []] = [dims(x), dims(w)];
    const [n = 1, channels] = xDims;
    const [filters = 1, , ...kernel] = wDims;
    const relu = soleReader(node.outputs[0] ?? "");
    const axes = plannedWindows(node, xDims, kernel);
    if (block === undefined || channels !== 1 || n % block !== 0 || filters % block === 0) return undefined;
    if (intAttribute(node, "group", 1) !== 1 || axes?.length !== 2 || relu?.opType !== "Relu") return undefined;
    const { strides = [], dilations = [] } = stepAttributes(axes);
    return {
      reads: [imagesOf(xDims)],
      gives: imagesOf([n, filters, ...axes.map((axis) => axis.output)]),
      along: relu,
      append(emission) {
        const { b, input } = emission;
        const image = paddedImages(emission, axes, n);
        const kernels = perFilter(b, input(1), kernel, { filters, n, block });
        const biases = bias === "" ? [] : perFilter(b, input(2), [], { filters, n, block });
        const maps = kernels.map((filter, i) =>
          nchwcConv(b, [image, filter, ...biases.slice(i, i + 1)], {
            kernel,
            strides,
            dilations,
            group: n,
            activation: "Relu",
          }),
        );
        return b.op("Concat", maps, { axis: 0 });
      },
    };
  },
};

/** The gradient to the filters: of each image by itself, then the sum. */
export const greyConvGradWeight: Kernel = {
  name: "image-blocks",
  match({ node, device, block }) {
    const { xDims, yDims, axes } = convGeometry(node);
    const [n = 1, channels] = xDims;
    if (device !== "cpu" || block === undefined || channels !== 1 || n % block !== 0) return undefined;
    // Cells that no window reaches would give more taps than the kernel has.
    if (axes.length !== 2 || axes.some((axis) => leftover(axis) - axis.end >= axis.dilation)) return undefined;
    const [, filters = 1, ...windows] = yDims;
    const { strides = [], dilations = [] } = stepAttributes(axes);
    return {
      reads: [imagesOf([n, 1, ...axes.map((axis) => axis.input)]), imagesOf(yDims)],
      append(emission) {
        const { b, input } = emission;
        const image = paddedImages(emission, axes, n);
        const maps = b.op("Reshape", [input(1), b.ints([filters * n, 1, ...windows])]);
        const sums = split(b, maps, filters, n).map((map) =>
          nchwcConv(b, [image, map], { kernel: windows, strides: dilations, dilations: strides, group: n }),
        );
        const perImage = nchwcOp(b, "ReorderOutput", [b.op("Concat", sums, { axis: 0 })], { channels: n });
        return b.op("ReduceSum", [perImage, b.ints([1])], { keepdims: 1 });
      },
    };
  },
};

/** The first input, [1, N, H, W] in blocks, with the padding that windows read: both passes want it. */
function paddedImages({ b, input, once }: Emission, axes: readonly WindowAxis[], n: number): string {
  const image = input(0);
  const pads = [...axes.map((axis) => axis.begin), ...axes.map(readEnd)];
  if (pads.every((pad) => pad === 0)) return image;
  return once(`images ${image} ${pads}`, () => perChannel(b, image, n, { scale: ones(b, n), pads }));
}

/**
 * A filter's numbers, each repeated for all images as depthwise convolutions take them: [filters, …dims] → [N, 1,
 * …dims] of each.
 */
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
