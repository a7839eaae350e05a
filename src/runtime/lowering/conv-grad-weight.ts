/**
 * @file ConvGradWeight(x, dy): the gradient of a convolution to its kernel.
 *
 * dw[m, c, k] = Σ dy[n, m, o] · x[n, c, o·stride + k·dilation − begin] over all n and o. Read as a convolution: dy is the
 * kernel, the batch is the channel that is summed over, strides become dilations and dilations strides.
 */

import { type ConvGeometry, convGeometry, leftover, readEnd, taps, type WindowAxis } from "../../autodiff/windows.js";
import { elementCount } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import {
  blockedConv,
  blockInwards,
  blockOutwards,
  exchangeBlocks,
  ones,
  perChannel,
  unblockedKernel,
} from "./blocked.js";
import { cellsAt, paddedForWindows } from "./cells.js";
import type { Lowering, LoweringContext, LoweringFamily } from "./lowering.js";

/** A `Conv` of x with batch and channels exchanged; one grouped `Conv` does all groups. */
const conv: Lowering = {
  name: "conv",
  supports: () => true,
  append({ node, b, input }) {
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
  },
};

/** A `Conv` in one dimension more, x seen as one image of N channels and depth C: x is neither copied nor padded. */
const convDeeper: Lowering = {
  name: "conv-deeper",
  supports(node) {
    const { axes, group } = convGeometry(node);
    return group === 1 && axes.length <= 2;
  },
  append({ node, b, input }) {
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
};

/** The windows' cells side by side by `Slice` and `Concat`, then one matrix product over all images and windows. */
const columns: Lowering = {
  name: "columns",
  supports: (_, device) => device === "cpu",
  append({ node, b, input }) {
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
    const product = b.op("FusedMatMul", [gradient, matrix], { transB: 1 }, { domain: "com.microsoft" });
    return b.op("Reshape", [product, b.ints(wDims)]);
  },
};

/** The same image by image: a matrix product each, added up. No axis is moved, and a product's columns stay in cache. */
const imageColumns: Lowering = {
  name: "image-columns",
  supports: (_, device) => device === "cpu",
  append({ node, b, input }) {
    const { xDims, yDims, wDims, axes, group } = convGeometry(node);
    const [n = 1, c = 1] = xDims;
    const [, m = 1, ...windows] = yDims;
    const positions = elementCount(windows);
    const padded = paddedForWindows(b, input(0), axes);
    const cells = taps(axes).map((tap) =>
      b.op("Reshape", [cellsAt(b, padded, axes, tap), b.ints([n, c, 1, positions])]),
    );
    const [only = ""] = cells;
    const stacked = cells.length === 1 ? only : b.op("Concat", cells, { axis: 2 });
    const matrix = b.op("Reshape", [stacked, b.ints([n, group, (c / group) * cells.length, positions])]);
    const gradient = b.op("Reshape", [input(1), b.ints([n, group, m / group, positions])]);
    const products = b.op("FusedMatMul", [gradient, matrix], { transB: 1 }, { domain: "com.microsoft" });
    return b.op("Reshape", [b.op("ReduceSum", [products, b.ints([0])], { keepdims: 0 }), b.ints(wDims)]);
  },
};

/**
 * `conv` in ONNX Runtime's blocked layout: images are the channels that are summed over, in blocks of their own. Channels of
 * x (the b of a block, or all where they fill none) stand inside the image's width, [C/b, N/b, H, W · b channels, b images],
 * so that the cells of the resulting kernel are neighbours in memory: a blocked convolution computes six neighbours at
 * once. The width is padded ahead, because windows that reach into padding are taken one by one.
 */
const blocked: Lowering = {
  name: "blocked",
  supports(node, device, block) {
    const { xDims, yDims, axes, group } = convGeometry(node);
    if (device !== "cpu" || block === undefined || group !== 1 || axes.length !== 2) return false;
    return axes[1]?.dilation === 1 && [xDims[0] ?? 1, yDims[1] ?? 1].every((size) => size % block === 0);
  },
  append(context) {
    const { node, b, blocked: image, block = 1 } = context;
    const geometry = convGeometry(node);
    const { xDims, yDims, wDims, axes } = geometry;
    const [n = 1, c = 1, height = 1, width = 1] = xDims;
    const [, m = 1, ...windows] = yDims;
    const [top = 0, left = 0, bottom = 0, right = 0] = fittedPads(geometry).pads;
    const [down = 1, across = 1] = axes.map((axis) => axis.stride);
    const lanes = c % block === 0 ? block : c;
    const groups = c / lanes;

    const padded = lanes === block ? paddedBlocks(context, left, right) : paddedLast(context, left, right);
    const line = height * (left + width + right) * lanes;
    const groupsFirst = exchanged(b, padded, [n, groups, line]);
    const images = blockInwards(b, groupsFirst, (groups * n) / block, block, line);
    const wide = b.op("Reshape", [images, b.ints([groups, n, height, line / height])]);

    // [N/b, b images, M/b · windows, b outputs] → [M/b, N/b, windows, b images, b outputs]
    const cells = (m / block) * elementCount(windows);
    const turned = exchangeBlocks(b, image(1, yDims), { rows: n / block, left: block, right: cells, block });
    const sorted = exchanged(b, turned, [n / block, m / block, elementCount(windows) * block * block]);
    const kernel = b.op("Reshape", [sorted, b.ints([m, n, ...windows])]);

    const dw = blockedConv(b, [wide, kernel], {
      kernel: windows,
      strides: [axes[0]?.dilation ?? 1, 1],
      dilations: [down, across * lanes],
      pads: [top, 0, bottom, 0],
    });
    const [kernelHeight = 1, kernelWidth = 1] = wDims.slice(2);
    const [reachedHeight = 1, reachedWidth = 1] = axes.map((axis) => reached(axis));
    const whole = (): string =>
      b.op("Reshape", [dw, b.ints([(groups * m) / block, reachedHeight, reachedWidth, lanes * block])]);
    const sizes = [kernelHeight, kernelWidth, lanes * block];
    const fitted = reachedHeight > kernelHeight || reachedWidth > kernelWidth ? cropped(b, whole(), sizes) : dw;
    if (lanes === block) return unblockedKernel(b, fitted, { block, dims: wDims });
    const plain = blockOutwards(b, fitted, m / block, block, elementCount([kernelHeight, kernelWidth, c]));
    const lastChannels = b.op("Reshape", [plain, b.ints([m, kernelHeight, kernelWidth, c])]);
    return b.op("Transpose", [lastChannels], { perm: [0, 3, 1, 2] });
  },
};

/** x in blocks with its width padded, in the threads of a convolution. */
function paddedBlocks({ node, b, blocked: image }: LoweringContext, left: number, right: number): string {
  const { xDims } = convGeometry(node);
  const [, c = 1] = xDims;
  const x = image(0, xDims);
  return left + right === 0 ? x : perChannel(b, x, c, { scale: ones(b, c), pads: [0, left, 0, right] });
}

/** x as [N, H, W, C] with its width padded. */
function paddedLast({ b, input }: LoweringContext, left: number, right: number): string {
  const last = b.op("Transpose", [input(0)], { perm: [0, 2, 3, 1] });
  return left + right === 0 ? last : b.op("Pad", [last, b.ints([0, 0, left, 0, 0, 0, right, 0]), b.scalar(0)]);
}

/** [first, second, rest] → [second, first, rest] */
function exchanged(b: GraphBuilder, value: string, dims: readonly [number, number, number]): string {
  if (dims[0] === 1 || dims[1] === 1) return value;
  return b.op("Transpose", [b.op("Reshape", [value, b.ints(dims)])], { perm: [1, 0, 2] });
}

/**
 * The forward padding, without the cells at the end that no window reaches; where those are no padding, the result
 * overshoots the kernel and is cropped.
 */
function fittedPads({ axes }: ConvGeometry): { readonly pads: readonly number[]; readonly overshoot: boolean } {
  const overshoot = axes.some((axis) => leftover(axis) - axis.end >= axis.dilation);
  return { pads: [...axes.map((axis) => axis.begin), ...axes.map(readEnd)], overshoot };
}

/** Taps that a kernel would have if it reached all cells that are there: the result's size before it is cropped. */
function reached(axis: WindowAxis): number {
  const cells = axis.begin + axis.input + readEnd(axis);
  return Math.floor((cells - axis.stride * (axis.output - 1) - 1) / axis.dilation) + 1;
}

/** The leading `sizes` cells of the last axes. */
function cropped(b: GraphBuilder, value: string, sizes: readonly number[]): string {
  const axes = sizes.map((_, i) => i - sizes.length);
  return b.op("Slice", [value, b.ints(sizes.map(() => 0)), b.ints(sizes), b.ints(axes)]);
}

export const convGradWeight: LoweringFamily = {
  operator: "ConvGradWeight",
  lowerings: [conv, convDeeper, columns, imageColumns, blocked],
  /**
   * As measured on two cores: `blocked` where images and channels fill blocks (3×3 at stride 1, 128 images, beside what
   * would be taken without: 0.2 to 0.5 of the time for 16 and 32 channels on 32×32 and 16×16, 0.5 to 1.1 for 64 and 128 on
   * 8×8 and 4×4, 0.6 to 1.6 at stride 2, on a busy machine), else `conv-deeper` nearly everywhere
   * (16 to 128 channels: 0.3 to 0.5 of the time of `conv`), `conv` for LeNet's grey images, `image-columns` for colour
   * (0.6 of `conv`) and for kernels of one cell, which need no copies (0.4 of `conv-deeper`), `columns` where windows are
   * many and stand close (16 and 32 channels on 32×32 and 16×16: 0.8 to 0.95 of `conv-deeper`, 64 channels on 32×32: 0.7).
   */
  choose(node, device, block) {
    const { xDims, yDims, wDims, axes } = convGeometry(node);
    const [, channels = 1] = xDims;
    const onCpu = imageColumns.supports(node, device);
    if (blocked.supports(node, device, block)) return blocked.name;
    if (onCpu && (elementCount(wDims.slice(2)) === 1 || channels === 3)) return imageColumns.name;
    const dense = axes.every(({ stride, kernel }) => stride === 1 && kernel <= 3);
    if (onCpu && channels > 3 && dense && elementCount(yDims.slice(2)) >= 256) return columns.name;
    return channels > 3 && convDeeper.supports(node, device) ? convDeeper.name : conv.name;
  },
};
