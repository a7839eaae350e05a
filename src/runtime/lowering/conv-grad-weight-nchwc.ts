/**
 * @file The gradient of a convolution to its kernel, in the nchwc layout.
 *
 * It is a convolution whose channels are the images, so images fill the blocks that are summed over. Channels of x (the
 * b of a block, or all where they fill none) stand inside the image's width, [C/b, N/b, H, W · b channels, b images],
 * so that the cells of the resulting kernel are neighbours in memory: an nchwc convolution computes six neighbours at
 * once. x is padded ahead, because windows that reach into padding are taken one by one.
 *
 * The convolution's kernel, dy, is as large as an image, and is read again for every few cells of the result: where it
 * is too much for a core's cache, it is cut into bands of rows, which are summed over like further images.
 */

import { type ConvGeometry, convGeometry, readEnd, type WindowAxis } from "../../autodiff/windows.js";
import { elementCount } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { nchwcConv, blockInwards, blockOutwards, exchangeBlocks, ones, perChannel, plainKernel } from "./nchwc.js";
import { channelsOf, type Emission, type Kernel } from "./rewrite.js";

/** Numbers of dy that are read together: a quarter of the second-level cache of a core of 2022. */
const BAND = 2 ** 17;

export const nchwcConvGradWeight: Kernel = {
  name: "nchwc",
  match({ node, device, block }) {
    const geometry = convGeometry(node);
    const { xDims, yDims, axes, group } = geometry;
    if (device !== "cpu" || block === undefined || group !== 1 || axes.length !== 2) return undefined;
    const fills = [xDims[0] ?? 1, yDims[1] ?? 1].every((size) => size % block === 0);
    if (axes[1]?.dilation !== 1 || !fills) return undefined;
    const inBlocks = (xDims[1] ?? 1) % block === 0;
    return {
      reads: [inBlocks ? channelsOf(xDims) : undefined, channelsOf(yDims)],
      append: (emission) => overImages(emission, geometry, block),
    };
  },
};

function overImages(emission: Emission, geometry: ConvGeometry, block: number): string {
  const { b, input } = emission;
  const { xDims, yDims, wDims, axes } = geometry;
  const [n = 1, c = 1] = xDims;
  const [, m = 1, ...windows] = yDims;
  const lanes = c % block === 0 ? block : c;
  const groups = c / lanes;
  const bands = bandsOf(yDims, block);

  const { name: x, rows, width } = imageInBands(emission, geometry, block, bands);
  const line = bands * rows * width * lanes;
  const groupsFirst = exchanged(b, x, [n, groups, line]);
  const images = blockInwards(b, groupsFirst, (groups * n) / block, block, line);
  const wide = b.op("Reshape", [images, b.ints([groups, n * bands, rows, width * lanes])]);

  // [N/b, b images, M/b · windows, b outputs] → [M/b, N/b, windows, b images, b outputs]
  const cells = (m / block) * elementCount(windows);
  const turned = exchangeBlocks(b, input(1), { rows: n / block, left: block, right: cells, block });
  const sorted = exchanged(b, turned, [n / block, m / block, elementCount(windows) * block * block]);
  const [height = 1, across = 1] = windows;
  const kernel = [height / bands, across];
  const shaped = b.op("Reshape", [sorted, b.ints([m, n * bands, ...kernel])]);

  const [strideDown = 1, strideAcross = 1] = axes.map((axis) => axis.stride);
  const dw = nchwcConv(b, [wide, shaped], {
    kernel,
    strides: [axes[0]?.dilation ?? 1, 1],
    dilations: [strideDown, strideAcross * lanes],
  });
  const [kernelHeight = 1, kernelWidth = 1] = wDims.slice(2);
  if (lanes === block) return plainKernel(b, dw, { block, dims: wDims });
  const plain = blockOutwards(b, dw, m / block, block, elementCount([kernelHeight, kernelWidth, c]));
  const lastChannels = b.op("Reshape", [plain, b.ints([m, kernelHeight, kernelWidth, c])]);
  return b.op("Transpose", [lastChannels], { perm: [0, 3, 1, 2] });
}

/** The least number of bands of rows that divides dy into pieces small enough. */
function bandsOf([, m = 1, height = 1, width = 1]: readonly number[], block: number): number {
  // An nchwc convolution computes up to four blocks of outputs at once.
  const row = Math.min(4, m / block) * width * block * block;
  const divisors = Array.from({ length: height }, (_, i) => i + 1).filter((count) => height % count === 0);
  return divisors.find((count) => (height / count) * row <= BAND) ?? height;
}

interface Bands {
  readonly name: string;
  /** Rows that the windows of one band read. */
  readonly rows: number;
  /** Columns that the windows read. */
  readonly width: number;
}

/**
 * What the windows read: x padded, without the cells that none of them reaches, and rows that two bands read twice.
 *
 * In blocks, [N, C/b, bands · rows, width, b]; where channels fill none, [N, bands · rows, width, C].
 */
function imageInBands({ b, input }: Emission, geometry: ConvGeometry, block: number, bands: number): Bands {
  const { xDims, axes } = geometry;
  const [n = 1, c = 1] = xDims;
  const inBlocks = c % block === 0;
  const [lead, lanes] = inBlocks ? [(n * c) / block, block] : [n, c];
  const padded = inBlocks
    ? paddedBlocks(b, input(0), geometry)
    : paddedLast(b, b.op("Transpose", [input(0)], { perm: [0, 2, 3, 1] }), geometry);

  const [down, across] = axes;
  if (down === undefined || across === undefined) throw new Error("an nchwc convolution has two axes");
  const windows = down.output / bands;
  const rows = span({ ...down, output: windows });
  const chosen = Array.from({ length: bands * rows }, (_, i) => {
    const band = Math.floor(i / rows);
    return band * windows * down.stride + (i % rows);
  });
  const [height, width] = [cellsOf(down), cellsOf(across)];
  const fitted = cut(b, padded, { lead, height, width, lanes }, span(across));
  const whole = chosen.length === height && chosen.every((row, i) => row === i);
  const line = span(across) * lanes;
  const name = whole
    ? fitted
    : b.op("Gather", [b.op("Reshape", [fitted, b.ints([lead, height, line])]), b.ints(chosen)], { axis: 1 });
  return { name, rows, width: span(across) };
}

/** [lead, height, width, lanes] with `kept` columns. */
function cut(
  b: GraphBuilder,
  value: string,
  { lead, height, width, lanes }: { lead: number; height: number; width: number; lanes: number },
  kept: number,
): string {
  if (kept === width) return value;
  const lines = b.op("Reshape", [value, b.ints([lead * height, width * lanes])]);
  return b.op("Slice", [lines, b.ints([0]), b.ints([kept * lanes]), b.ints([1])]);
}

/** Cells from the first that a window reads to the last. */
function span({ stride, output, kernel, dilation }: WindowAxis): number {
  return stride * (output - 1) + (kernel - 1) * dilation + 1;
}

/** Cells of the axis with the padding that windows read. */
function cellsOf(axis: WindowAxis): number {
  return axis.begin + axis.input + readEnd(axis);
}

function padding({ axes }: ConvGeometry): {
  readonly begins: number[];
  readonly ends: number[];
  readonly none: boolean;
} {
  const [begins, ends] = [axes.map((axis) => axis.begin), axes.map(readEnd)];
  return { begins, ends, none: [...begins, ...ends].every((pad) => pad === 0) };
}

/** x in blocks and padded, in the threads of a convolution: `Pad` has one. */
function paddedBlocks(b: GraphBuilder, x: string, geometry: ConvGeometry): string {
  const { begins, ends, none } = padding(geometry);
  const [, channels = 1] = geometry.xDims;
  return none ? x : perChannel(b, x, channels, { scale: ones(b, channels), pads: [...begins, ...ends] });
}

/** [N, H, W, C], padded. */
function paddedLast(b: GraphBuilder, x: string, geometry: ConvGeometry): string {
  const { begins, ends, none } = padding(geometry);
  return none ? x : b.op("Pad", [x, b.ints([0, ...begins, 0, 0, ...ends, 0]), b.scalar(0)]);
}

/** [first, second, rest] → [second, first, rest] */
function exchanged(b: GraphBuilder, value: string, dims: readonly [number, number, number]): string {
  if (dims[0] === 1 || dims[1] === 1) return value;
  return b.op("Transpose", [b.op("Reshape", [value, b.ints(dims)])], { perm: [1, 0, 2] });
}
