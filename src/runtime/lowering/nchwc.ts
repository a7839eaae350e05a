/**
 * @file The nchwc layout: ONNX Runtime's own operators for CPUs (domain com.microsoft.nchwc), as small functions.
 *
 * An image [N, C, H, W] in blocks lies in memory as [N, C/b, H, W, b], with b channels of a vector's width side by
 * side, but keeps its dimensions [N, C, H, W]. Besides convolutions, three things are quick in this layout and slow
 * without:
 *
 * - a depthwise convolution of one cell is scale · x + shift (+ another tensor, + an activation) in one pass;
 * - a depthwise convolution as large as the image, with another image as its kernel, is Σ x·y over all positions;
 * - `ReorderInput` and `ReorderOutput` move blocks about in many threads: seen as tensors of other dimensions, they are
 *   the transpositions that kernels need, at a quarter of the time of `Transpose` or less.
 */

import { elementCount, float32 } from "../../core/tensor.js";
import type { AttributeShorthand, GraphBuilder } from "../../onnx/builder.js";
import { defined } from "../../core/defined.js";

/** The domain of its operators. */
export const NCHWC = "com.microsoft.nchwc";

export interface NchwcConvolution {
  /** Height and width. */
  readonly kernel: readonly number[];
  readonly strides?: readonly number[];
  /** Begins, then ends. */
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly group?: number;
  readonly activation?: string;
  /** Of the activation, in its order; none for Relu. */
  readonly parameters?: readonly number[];
}

/** @param inputs image, kernel, and perhaps a bias and a tensor to add ("" where left out). */
export function nchwcConv(b: GraphBuilder, inputs: readonly string[], convolution: NchwcConvolution): string {
  const { kernel, strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1, ...then } = convolution;
  const { activation, parameters } = then;
  return nchwcOp(b, "Conv", inputs, {
    kernel_shape: kernel,
    strides,
    pads,
    dilations,
    group,
    ...defined({ activation }),
    ...(parameters === undefined ? {} : { activation_params: { kind: "floats", value: parameters } as const }),
  });
}

/**
 * A convolution at stride 1 of an image [N, C, H, W] in blocks, however that is done.
 *
 * Where rows are short and the kernel large, it is read again for each of them; then all images stand in one row, with
 * as many zeros between them as windows reach over.
 */
export function convolved(
  b: GraphBuilder,
  x: string,
  kernel: string,
  { dims, outputs, size, pads, block }: Convolved,
): string {
  const [n = 1, c = 1, height = 1, width = 1] = dims;
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  const [down = 1, across = 1] = size;
  const long = n > 1 && width <= SHORT && outputs * c * down * across >= LARGE;
  if (!long || Math.max(left, right) >= across) return nchwcConv(b, [x, kernel], { kernel: size, pads });

  const gap = Math.max(left, right);
  const step = width + gap;
  const spaced = gap === 0 ? x : perChannel(b, x, c, { scale: ones(b, c), pads: [0, 0, 0, gap] });
  const lines = b.op("Reshape", [spaced, b.ints([n, (c / block) * height, step * block])]);
  const row = b.op("Reshape", [b.op("Transpose", [lines], { perm: [1, 0, 2] }), b.ints([1, c, height, n * step])]);
  const y = nchwcConv(b, [row, kernel], { kernel: size, pads: [top, left, bottom, across - 1 - left] });
  const [rows, columns] = [height + top + bottom - down + 1, width + left + right - across + 1];
  const spread = b.op("Reshape", [y, b.ints([(outputs / block) * rows * n, step * block])]);
  const cells =
    columns === step ? spread : b.op("Slice", [spread, b.ints([0]), b.ints([columns * block]), b.ints([1])]);
  const turned = b.op("Reshape", [cells, b.ints([(outputs / block) * rows, n, columns * block])]);
  return b.op("Reshape", [b.op("Transpose", [turned], { perm: [1, 0, 2] }), b.ints([n, outputs, rows, columns])]);
}

export interface Convolved {
  /** [N, C, H, W] of the image. */
  readonly dims: readonly number[];
  readonly outputs: number;
  /** Height and width of the kernel. */
  readonly size: readonly number[];
  /** Begins, then ends. */
  readonly pads: readonly number[];
  readonly block: number;
}

/** Columns of an image with short rows. */
const SHORT = 8;

/** Numbers of a kernel that does not stay in a core's cache beside the image. */
const LARGE = 2 ** 17;

export interface PerChannel {
  /** One number a channel, [C]. */
  readonly scale: string;
  readonly shift?: string;
  /** An image in blocks that is added; the result takes its place in memory where nothing else reads it. */
  readonly addend?: string;
  readonly activation?: string;
  readonly pads?: readonly number[];
}

/** scale · x + shift + addend for an image in blocks, in one pass; padding becomes the shift. */
export function perChannel(b: GraphBuilder, x: string, channels: number, form: PerChannel): string {
  const { scale, shift = "", addend = "", ...rest } = form;
  const kernel = b.op("Reshape", [scale, b.ints([channels, 1, 1, 1])]);
  const inputs = addend !== "" ? [x, kernel, shift, addend] : shift !== "" ? [x, kernel, shift] : [x, kernel];
  return nchwcConv(b, inputs, { kernel: [1, 1], group: channels, ...rest });
}

/** C ones. */
export function ones(b: GraphBuilder, channels: number): string {
  return b.initializer("ones", float32([channels], new Float32Array(channels).fill(1)));
}

/** Mean over all images and positions, [C]. */
export function channelMean(b: GraphBuilder, x: string, [n = 1]: readonly number[]): string {
  const perImage = nchwcOp(b, "GlobalAveragePool", [x], {});
  return b.op("Mul", [b.op("ReduceSum", [perImage, b.ints([0, 2, 3])], { keepdims: 0 }), b.scalar(1 / n)]);
}

/** Mean of x · y over all images and positions, [C]. */
export function channelMeanOfProducts(b: GraphBuilder, x: string, y: string, dims: readonly number[]): string {
  const [n = 1, c = 1, ...spatial] = dims;
  const cells = elementCount(spatial);
  const image = b.op("Reshape", [x, b.ints([1, n * c, 1, cells])]);
  const kernel = b.op("Reshape", [y, b.ints([n * c, 1, 1, cells])]);
  const sums = nchwcConv(b, [image, kernel], { kernel: [1, cells], group: n * c });
  const perImage = b.op("Reshape", [sums, b.ints([n, c])]);
  return b.op("Mul", [b.op("ReduceSum", [perImage, b.ints([0])], { keepdims: 0 }), b.scalar(1 / (n * cells))]);
}

/** [rows, block, columns] → [rows, columns, block] */
export function blockInwards(b: GraphBuilder, value: string, rows: number, block: number, columns: number): string {
  return nchwcOp(b, "ReorderInput", [b.op("Reshape", [value, b.ints([rows, block, 1, columns])])], {});
}

/** [rows, columns, block] → [rows, block, columns] */
export function blockOutwards(b: GraphBuilder, value: string, rows: number, block: number, columns: number): string {
  const image = b.op("Reshape", [value, b.ints([rows, block, 1, columns])]);
  return nchwcOp(b, "ReorderOutput", [image], { channels: block });
}

/** [rows, left, right, block] → [rows, right, left, block]: whole blocks change places. */
export function exchangeBlocks(
  b: GraphBuilder,
  value: string,
  { rows, left, right, block }: { rows: number; left: number; right: number; block: number },
): string {
  if (left === 1 || right === 1) return value;
  const image = b.op("Reshape", [value, b.ints([rows, left * block, right, 1])]);
  return nchwcOp(b, "ReorderOutput", [image], { channels: left * block, channels_last: 1 });
}

/**
 * A kernel as an nchwc convolution takes it: [O, I, h, w] → [O/b, I/b, h, w, b inputs, b outputs]; without blocks of
 * inputs where there are fewer of them than a block holds.
 */
export function nchwcKernel(b: GraphBuilder, w: string, dims: readonly number[], block: number): string {
  const [outputs = 1, inputs = 1, ...kernel] = dims;
  const sorted =
    inputs < block
      ? blockInwards(b, w, outputs / block, block, inputs * elementCount(kernel))
      : kernelTiles(b, w, dims, block).name;
  return b.op("Reshape", [sorted, b.ints(dims)]);
}

/** A kernel cut into tiles [rows, b inputs · b outputs], whose rows are all taps of all pairs of blocks. */
export interface KernelTiles {
  readonly name: string;
  readonly outputs: number;
  readonly inputs: number;
}

/** [O, I, h, w] → tiles of [O/b, I/b, taps]; O and I fill blocks. */
export function kernelTiles(b: GraphBuilder, w: string, dims: readonly number[], block: number): KernelTiles {
  const [outputs = 1, inputs = 1, ...kernel] = dims;
  const taps = elementCount(kernel);
  const rows = (outputs / block) * (inputs / block);
  const inward = blockInwards(b, w, outputs / block, block, inputs * taps);
  const sorted = exchangeBlocks(b, inward, { rows, left: block, right: taps, block });
  return { name: b.op("Reshape", [sorted, b.ints([rows * taps, block * block])]), outputs, inputs };
}

/** The same of the kernel with its channel axes exchanged, I outputs of O inputs: tiles of [O/b, I/b, taps] still. */
export function exchangedTiles(b: GraphBuilder, w: string, dims: readonly number[], block: number): KernelTiles {
  const [outputs = 1, inputs = 1, ...kernel] = dims;
  const taps = elementCount(kernel);
  const [o, i] = [outputs / block, inputs / block];
  const inward = blockInwards(b, w, outputs * i, block, taps);
  const paired = exchangeBlocks(b, inward, { rows: o, left: block, right: i * taps, block });
  const name = b.op("Reshape", [paired, b.ints([o * i * taps, block * block])]);
  return { name, outputs: inputs, inputs: outputs };
}

/**
 * The kernels of a convolution's transpose: channel axes exchanged, with some of the taps in a certain order.
 *
 * @returns a function from the numbers of the taps, and their height and width, to the kernel as blocks of dimensions
 *   [I, O, …shape]: [O, I, taps] → [I/b, O/b, chosen, b of O, b of I].
 */
export function exchangedKernel(
  b: GraphBuilder,
  w: string,
  dims: readonly number[],
  block: number,
): (chosen: readonly number[], shape: readonly number[]) => string {
  const [outputs = 1, inputs = 1, ...kernel] = dims;
  const taps = elementCount(kernel);
  const [o, i] = [outputs / block, inputs / block];
  const { name } = exchangedTiles(b, w, dims, block);
  return (chosen, shape) => {
    const order = grid(i, o).flatMap(([input = 0, output = 0]) =>
      chosen.map((tap) => (output * i + input) * taps + tap),
    );
    return b.op("Reshape", [picked(b, name, o * i * taps, order), b.ints([inputs, outputs, ...shape])]);
  };
}

/** [C/b, M/b, taps, b of C, b of M] → [M, C, taps] */
export function plainKernel(
  b: GraphBuilder,
  value: string,
  { block, dims }: { block: number; dims: readonly number[] },
): string {
  const [outputs = 1, inputs = 1, ...kernel] = dims;
  const taps = elementCount(kernel);
  const [m, c] = [outputs / block, inputs / block];
  const tiles = b.op("Reshape", [value, b.ints([m * c * taps, block * block])]);
  const order = grid(m, c).flatMap(([output = 0, input = 0]) =>
    Array.from({ length: taps }, (_, tap) => (input * m + output) * taps + tap),
  );
  const sorted = exchangeBlocks(b, picked(b, tiles, m * c * taps, order), {
    rows: m * c,
    left: taps,
    right: block,
    block,
  });
  return b.op("Reshape", [blockOutwards(b, sorted, m, block, inputs * taps), b.ints(dims)]);
}

/** Some of the `rows` rows of a matrix in some order; the matrix itself where that is all of them as they are. */
export function picked(b: GraphBuilder, matrix: string, rows: number, order: readonly number[]): string {
  const same = order.length === rows && order.every((row, i) => row === i);
  return same ? matrix : b.op("Gather", [matrix, b.ints(order)], { axis: 0 });
}

/** All pairs, the second number running faster. */
function grid(first: number, second: number): number[][] {
  return Array.from({ length: first * second }, (_, k) => [Math.floor(k / second), k % second]);
}

export function nchwcOp(
  b: GraphBuilder,
  operator: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, AttributeShorthand>>,
): string {
  return b.op(operator, inputs, attributes, { domain: NCHWC });
}
