/**
 * @file ConvGradWeight(x, dy): the gradient of a convolution to its kernel.
 *
 * dw[m, c, k] = Σ dy[n, m, o] · x[n, c, o·stride + k·dilation − begin] over all n and o. Read as a convolution: dy is
 * the kernel, the batch is the channel that is summed over, strides become dilations and dilations strides.
 */

import { type ConvGeometry, convGeometry, leftover, readEnd, taps } from "../../autodiff/windows.js";
import { elementCount } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { cellsAt, paddedForWindows } from "./cells.js";
import { convGradWeightByImageRows as imageRows, convGradWeightByRows as rows } from "./conv-by-rows.js";
import { nchwcConvGradWeight as nchwc } from "./conv-grad-weight-nchwc.js";
import { greyConvGradWeight } from "./grey.js";
import type { Device } from "../options.js";
import { always, plainKernel, type Rewrite } from "./rewrite.js";
import { isWorthIt, winogradConvGradWeight } from "./winograd.js";

/** Numbers that a GPU may write to add them up again, the products image by image: 128 MB. */
const MOST_PRODUCTS = 2 ** 25;

/** A `Conv` of x with batch and channels exchanged; one grouped `Conv` does all groups. */
const conv = plainKernel("conv", always, ({ b, input }, { node }) => {
  const geometry = convGeometry(node);
  const { xDims, wDims, axes, group } = geometry;
  const [n = 1, c = 1, ...spatial] = xDims;
  const swap = [1, 0, ...axes.map((_, i) => i + 2)];
  const kernel = b.op("Transpose", [input(1)], { perm: swap });
  let image: string;
  if (group === 1) {
    image = b.op("Transpose", [input(0)], { perm: swap });
  } else {
    const split = b.op("Reshape", [input(0), b.ints([n, group, c / group, ...spatial])]);
    const turned = b.op("Transpose", [split], { perm: [2, 1, 0, ...axes.map((_, i) => i + 3)] });
    image = b.op("Reshape", [turned, b.ints([c / group, group * n, ...spatial])]);
  }
  const { pads, overshoot } = fittedPads(geometry);
  const dw = b.op("Conv", [image, kernel], {
    pads,
    strides: axes.map((axis) => axis.dilation),
    dilations: axes.map((axis) => axis.stride),
    group,
  });
  return b.op("Transpose", [overshoot ? cropped(b, dw, wDims.slice(2)) : dw], { perm: swap });
});

/** A `Conv` in one dimension more, x seen as one image of N channels and depth C: x is neither copied nor padded. */
const convDeeper = plainKernel(
  "conv-deeper",
  ({ node }) => {
    const { axes, group } = convGeometry(node);
    return group === 1 && axes.length <= 2;
  },
  ({ b, input }, { node }) => {
    const geometry = convGeometry(node);
    const { xDims, yDims, wDims, axes } = geometry;
    const [n = 1, m = 1, ...windows] = yDims;
    const image = b.op("Reshape", [input(0), b.ints([1, ...xDims])]);
    const turned = b.op("Transpose", [input(1)], { perm: [1, 0, ...axes.map((_, i) => i + 2)] });
    const kernel = b.op("Reshape", [turned, b.ints([m, n, 1, ...windows])]);
    const { pads, overshoot } = fittedPads(geometry);
    const dw = b.op("Conv", [image, kernel], {
      pads: [0, ...pads.slice(0, axes.length), 0, ...pads.slice(axes.length)],
      strides: [1, ...axes.map((axis) => axis.dilation)],
      dilations: [1, ...axes.map((axis) => axis.stride)],
    });
    const [, ...kernelDims] = wDims;
    return b.op("Reshape", [overshoot ? cropped(b, dw, kernelDims) : dw, b.ints(wDims)]);
  },
);

/** The windows' cells side by side by `Slice` and `Concat`, then one matrix product over all images and windows. */
const columns = plainKernel("columns", always, ({ b, input }, { node, device }) => {
  const { xDims, yDims, wDims, axes, group } = convGeometry(node);
  const [n = 1, c = 1] = xDims;
  const [, m = 1, ...windows] = yDims;
  const padded = paddedForWindows(b, input(0), axes);
  const sizes = axes.map((axis) => axis.begin + axis.input + readEnd(axis));
  const split = b.op("Reshape", [padded, b.ints([n, group, c / group, ...sizes])]);
  const channelsFirst = b.op("Transpose", [split], { perm: [1, 2, 0, ...axes.map((_, i) => i + 3)] });
  const cells = taps(axes).map((tap) => {
    const cell = cellsAt(b, channelsFirst, axes, tap);
    return b.op("Reshape", [cell, b.ints([group, c / group, 1, -1])]);
  });
  const [only = ""] = cells;
  const stacked = cells.length === 1 ? only : b.op("Concat", cells, { axis: 2 });
  const positions = windows.reduce((product, size) => product * size, n);
  const matrix = b.op("Reshape", [stacked, b.ints([group, (c / group) * cells.length, positions])]);
  const turned = b.op("Transpose", [input(1)], { perm: [1, 0, ...axes.map((_, i) => i + 2)] });
  const gradient = b.op("Reshape", [turned, b.ints([group, m / group, positions])]);
  const product = timesTransposed(b, device, gradient, matrix, 3);
  return b.op("Reshape", [product, b.ints(wDims)]);
});

/**
 * The same image by image: a matrix product each, added up. On a CPU no axis is moved, and a product's columns stay in
 * cache; a GPU has as many products at a time as there are images, where any other form is one long sum.
 */
const imageColumns = plainKernel("image-columns", always, ({ b, input }, { node, device }) => {
  const { xDims, yDims, wDims, axes, group } = convGeometry(node);
  const [n = 1, c = 1] = xDims;
  const [, m = 1, ...windows] = yDims;
  const positions = elementCount(windows);
  const padded = paddedForWindows(b, input(0), axes);
  const cells = taps(axes).map((tap) => b.op("Reshape", [cellsAt(b, padded, axes, tap), b.ints([n, c, 1, positions])]));
  const [only = ""] = cells;
  const stacked = cells.length === 1 ? only : b.op("Concat", cells, { axis: 2 });
  const matrix = b.op("Reshape", [stacked, b.ints([n, group, (c / group) * cells.length, positions])]);
  const gradient = b.op("Reshape", [input(1), b.ints([n, group, m / group, positions])]);
  const products = timesTransposed(b, device, gradient, matrix, 4);
  return b.op("Reshape", [b.op("ReduceSum", [products, b.ints([0])], { keepdims: 0 }), b.ints(wDims)]);
});

/** left · rightᵀ of their last two axes; both of this rank. */
function timesTransposed(b: GraphBuilder, device: Device, left: string, right: string, rank: number): string {
  if (device === "cpu") return b.op("FusedMatMul", [left, right], { transB: 1 }, { domain: "com.microsoft" });
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm.splice(-2, 2, rank - 1, rank - 2);
  return b.op("MatMul", [left, b.op("Transpose", [right], { perm })]);
}

/**
 * The forward padding, without the cells at the end that no window reaches; where those are no padding, the result
 * overshoots the kernel and is cropped.
 */
function fittedPads({ axes }: ConvGeometry): { readonly pads: readonly number[]; readonly overshoot: boolean } {
  const overshoot = axes.some((axis) => leftover(axis) - axis.end >= axis.dilation);
  return { pads: [...axes.map((axis) => axis.begin), ...axes.map(readEnd)], overshoot };
}

/** The leading `sizes` cells of the last axes. */
function cropped(b: GraphBuilder, value: string, sizes: readonly number[]): string {
  const axes = sizes.map((_, i) => i - sizes.length);
  return b.op("Slice", [value, b.ints(sizes.map(() => 0)), b.ints(sizes), b.ints(axes)]);
}

export const convGradWeight: Rewrite = {
  operator: "wildmark.ConvGradWeight",
  kernels: [
    conv,
    convDeeper,
    columns,
    imageColumns,
    nchwc,
    winogradConvGradWeight,
    greyConvGradWeight,
    imageRows,
    rows,
  ],
  /**
   * As measured on two cores: `nchwc` where images and channels fill blocks (3×3 at stride 1, 128 images, beside what
   * would be taken without: 0.2 to 0.5 of the time for 16 and 32 channels on 32×32 and 16×16, 0.5 to 1.1 for 64 and 128
   * on 8×8 and 4×4, 0.6 to 1.6 at stride 2, on a busy machine), else `conv-deeper` nearly everywhere (16 to 128
   * channels: 0.3 to 0.5 of the time of `conv`), `image-blocks` for LeNet's grey images (0.3 of `conv`), `conv` where
   * they fill no blocks, `image-columns` for colour (0.6 of `conv`) and for kernels of one cell, which need no copies
   * (0.4 of `conv-deeper`), `columns` where windows are many and stand close (16 and 32 channels on 32×32 and 16×16:
   * 0.8 to 0.95 of `conv-deeper`, 64 channels on 32×32: 0.7).
   *
   * On a GPU convolutions with an image for a kernel have a few long sums to do, one after another: `image-rows`, or
   * `rows` where the kernel is so large that it has work for all; with groups `image-columns` and `columns`, which take
   * more operators (a step of a ResNet-18 of width 64: 50 ms with columns, 43 with rows).
   */
  choose({ node, device }, names) {
    const geometry = convGeometry(node);
    const { xDims, yDims, wDims, axes } = geometry;
    const [images = 1, channels = 1] = xDims;
    if (names.includes(winogradConvGradWeight.name) && isWorthIt(geometry)) return winogradConvGradWeight.name;
    if (device !== "cpu") {
      const few = images * elementCount(wDims) <= MOST_PRODUCTS;
      if (names.includes(rows.name)) return few ? imageRows.name : rows.name;
      return few ? imageColumns.name : columns.name;
    }
    const found = [nchwc, greyConvGradWeight].find(({ name }) => names.includes(name));
    if (found !== undefined) return found.name;
    if (elementCount(wDims.slice(2)) === 1 || channels === 3) return imageColumns.name;
    const dense = axes.every(({ stride, kernel }) => stride === 1 && kernel <= 3);
    if (channels > 3 && dense && elementCount(yDims.slice(2)) >= 256) return columns.name;
    return channels > 3 && names.includes(convDeeper.name) ? convDeeper.name : conv.name;
  },
};
