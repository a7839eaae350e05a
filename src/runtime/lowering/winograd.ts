/**
 * @file Winograd's minimal filtering F(4×4, 3×3) for convolutions of 3×3 at stride 1, and for both of their gradients, in
 * the nchwc layout: 36 multiplications for 16 results instead of 144.
 *
 * With d a tile of 6×6 cells of the image, g a kernel and y the tile of 4×4 results (S. Winograd, Arithmetic Complexity
 * of Computations, 1980; A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, arXiv:
 * 1509.09308, section 4.2):
 *
 *     y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
 *
 * and what is ⊙ here is, over all channels and tiles, one product of matrices for each of the 36 places. The gradient
 * to the image is such a convolution itself, with the kernel turned and its channels exchanged. That to the kernel is
 * Gᵀ [Σ (A dy Aᵀ) ⊙ (Bᵀ d B)] G, summed over all tiles.
 *
 * In blocks, all that stands before the channels can be read as images and the rest as channels of their own: so Bᵀ and
 * A are depthwise convolutions at stride 4, six along each axis.
 *
 * Sums of products of larger numbers round more: results differ from the direct form's by up to some 1e-5 of the
 * largest (`WINOGRAD_ERROR`).
 */

import { type ConvGeometry, convGeometry, type WindowAxis } from "../../autodiff/windows.js";
import { float32 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { knownConv } from "./known-conv.js";
import { exchangedTiles, type KernelTiles, kernelTiles, nchwcConv, nchwcOp, picked } from "./nchwc.js";
import { channelsOf, type Emission, type Kernel } from "./rewrite.js";

/** By what share of the largest result it differs from the exact one, at most. */
export const WINOGRAD_ERROR = 5e-5;

/** Results of a tile along an axis, and the places that it takes. */
const TILE = 4;
const PLACES = 6;

/** Rows of Bᵀ: what is multiplied, of six cells. */
const INPUT = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
] as const;

/** Rows of G: of three taps. */
const KERNEL = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
] as const;

/** Rows of A: how often each of the four results holds the place. */
const OUTPUT = [
  [1, 0, 0, 0],
  [1, 1, 1, 1],
  [1, -1, 1, -1],
  [1, 2, 4, 8],
  [1, -2, 4, -8],
  [0, 0, 0, 1],
] as const;

/** The place whose number is added to each of the sixteen results once: a bias belongs there. */
const EVENLY = 1;

/** What a convolution is, seen from the image that it reads. */
interface Filtering {
  /** [N, C, H, W] of the image. */
  readonly dims: readonly number[];
  readonly outputs: number;
  /** Height and width of the result. */
  readonly size: readonly number[];
  /** Zeros before the first row and column. */
  readonly begins: readonly number[];
  readonly block: number;
}

/** y: x filtered by the kernel; of Conv, whose shapes the graph may know, and of the primitive. */
export const winogradConv: Kernel = {
  name: "winograd",
  match(site) {
    const { device, block } = site;
    const geometry = knownConv(site);
    if (device !== "cpu" || block === undefined || geometry === undefined || !fits(geometry, block)) return undefined;
    const { xDims, yDims, wDims, axes } = geometry;
    const begins = axes.map(({ begin }) => begin);
    const filtering = { dims: xDims, outputs: yDims[1] ?? 1, size: yDims.slice(2), begins, block };
    return {
      reads: [channelsOf(xDims)],
      gives: channelsOf(yDims),
      append({ b, input, once }) {
        const tiles = kernelTiles(b, input(1), wDims, block);
        const kernels = places(b, tiles, kernelOrder(wDims, block, "forward"), wDims);
        return filtered(b, imagePlaces(b, once, input(0), filtering), kernels, filtering, input(2));
      },
    };
  },
};

/** dx: dy filtered by the turned kernel, whose channels are exchanged. */
export const winogradConvGradInput: Kernel = {
  name: "winograd",
  match({ node, device, block }) {
    const geometry = convGeometry(node);
    const { xDims, yDims, wDims, axes } = geometry;
    const begins = axes.map(({ begin }) => 2 - begin);
    if (device !== "cpu" || block === undefined || !fits(geometry, block) || begins.some((begin) => begin < 0)) {
      return undefined;
    }
    const filtering = { dims: yDims, outputs: xDims[1] ?? 1, size: xDims.slice(2), begins, block };
    return {
      reads: [channelsOf(yDims)],
      gives: channelsOf(xDims),
      append({ b, input, once }) {
        const tiles = exchangedTiles(b, input(1), wDims, block);
        const kernels = places(b, tiles, kernelOrder(wDims, block, "turned"), wDims);
        return filtered(b, imagePlaces(b, once, input(0), filtering), kernels, filtering, "");
      },
    };
  },
};

/** dw: for each place the product of what dy and x hold there, over all tiles. */
export const winogradConvGradWeight: Kernel = {
  name: "winograd",
  match({ node, device, block }) {
    const geometry = convGeometry(node);
    if (device !== "cpu" || block === undefined || !fits(geometry, block)) return undefined;
    const { xDims, yDims } = geometry;
    return {
      reads: [channelsOf(xDims), channelsOf(yDims)],
      append: (emission) => kernelGradient(emission, geometry, block),
    };
  },
};

/** Whether tiles hold few results that nobody wants, and channels are so many that transforming them is worth it. */
export function isWorthIt({ xDims, yDims }: ConvGeometry): boolean {
  const [channels = 1, outputs = 1] = [xDims[1], yDims[1]];
  const results = yDims.slice(2).reduce((product, size) => product * size, 1);
  const tiled = yDims.slice(2).reduce((product, size) => product * tilesOf(size) * TILE, 1);
  return Math.min(channels, outputs) >= ENOUGH_CHANNELS && tiled <= MOST_TILED * results;
}

/**
 * Channels on both sides from which it is quicker. Measured with 64 images on two threads of an EPYC with AVX2, direct
 * over this, forward, to the image, to the kernel: 64 channels on 32×32 0.65, 0.80, 0.67; 128 on 16×16 1.12, 0.96, 0.84;
 * 256 on 8×8 1.65, 1.66, 1.41; 512 on 4×4 1.13, 1.14, 1.07.
 */
const ENOUGH_CHANNELS = 256;

/** Results that are computed, for one that is wanted. */
const MOST_TILED = 1.4;

function fits({ xDims, yDims, axes, group }: ConvGeometry, block: number): boolean {
  const filled = [xDims[1], yDims[1]].every((channels = 1) => channels % block === 0);
  return group === 1 && axes.length === 2 && filled && axes.every(isThreeAtStrideOne);
}

function isThreeAtStrideOne({ kernel, stride, dilation, begin, input, output }: WindowAxis): boolean {
  const end = output + kernel - 1 - begin - input;
  return kernel === 3 && stride === 1 && dilation === 1 && begin >= 0 && end >= 0 && begin <= 2 && end <= 2;
}

const tilesOf = (size: number): number => Math.ceil(size / TILE);

/** All pairs of places, the second running faster. */
const PAIRS = Array.from({ length: PLACES ** 2 }, (_, k) => [Math.floor(k / PLACES), k % PLACES] as const);

/** Bᵀ d B of every tile of an image [N, C, H, W] in blocks: for each place [1, C, N · tiles, tiles] in blocks. */
function imagePlaces(
  b: GraphBuilder,
  once: Emission["once"],
  x: string,
  filtering: Pick<Filtering, "dims" | "size" | "begins" | "block">,
): readonly string[] {
  const { dims, size, begins, block } = filtering;
  const shape = { dims, tiles: size.map(tilesOf), begins, block };
  // The gradient to the kernel wants the same of the same image.
  return tilePlaces(b, (key, make) => once(`winograd ${x} ${begins} ${size} ${key}`, make), x, INPUT, shape);
}

interface Tiling {
  /** [N, C, H, W] */
  readonly dims: readonly number[];
  /** Down and across. */
  readonly tiles: readonly number[];
  readonly begins: readonly number[];
  readonly block: number;
}

/** `rows` times every tile times their transpose; see `imagePlaces`. */
function tilePlaces(
  b: GraphBuilder,
  once: Emission["once"],
  x: string,
  rows: readonly (readonly number[])[],
  { dims, tiles, begins, block }: Tiling,
): readonly string[] {
  const [n = 1, c = 1, height = 1, width = 1] = dims;
  const [down = 1, across = 1] = tiles;
  const [top = 0, left = 0] = begins;
  const blocks = c / block;
  // [N, C/b, H, W, b] → [C/b, N, H, W, b], read as C/b images of N·b channels.
  const images = once("images", () => {
    const lines = b.op("Reshape", [x, b.ints([n, blocks, height * width * block])]);
    const turned = n === 1 || blocks === 1 ? lines : b.op("Transpose", [lines], { perm: [1, 0, 2] });
    return b.op("Reshape", [turned, b.ints([blocks, n * block, height, width])]);
  });
  const channels = n * block;
  return PAIRS.map(([i, j]) => {
    const lines = once(`row ${i}`, () => {
      const vertical = steps(rows[i] ?? [], { size: height, tiles: down, begin: top });
      return alongAxis(b, images, vertical, { channels, block, axis: 0 });
    });
    return once(`place ${i} ${j}`, () => {
      const horizontal = steps(rows[j] ?? [], { size: width, tiles: across, begin: left });
      const cells = alongAxis(b, lines, horizontal, { channels, block, axis: 1 });
      return b.op("Reshape", [cells, b.ints([1, c, n * down, across])]);
    });
  });
}

/** A convolution at stride 4 along one axis. */
interface Steps {
  readonly taps: readonly number[];
  readonly dilation: number;
  readonly begin: number;
  readonly end: number;
}

/** The multiples of neighbouring cells that a row of Bᵀ or A adds up for each tile, with as few taps as it takes. */
function steps(
  row: readonly number[],
  { size, tiles, begin }: { readonly size: number; readonly tiles: number; readonly begin: number },
): Steps {
  const last = row.findLastIndex((factor) => factor !== 0);
  // Padding cannot be negative: then the taps begin with zeros.
  const first = Math.min(
    row.findIndex((factor) => factor !== 0),
    begin,
  );
  const dense = row.slice(first, last + 1);
  const sparse = dense.length === 5 && dense[1] === 0 && dense[3] === 0;
  const taps = sparse ? dense.filter((_, i) => i % 2 === 0) : dense;
  const before = begin - first;
  const end = Math.max(0, TILE * (tiles - 1) + dense.length - before - size);
  return { taps, dilation: sparse ? 2 : 1, begin: before, end };
}

function alongAxis(
  b: GraphBuilder,
  x: string,
  { taps, dilation, begin, end }: Steps,
  { channels, block, axis }: { readonly channels: number; readonly block: number; readonly axis: 0 | 1 },
): string {
  const along = <T>(value: T, other: T): readonly [T, T] => (axis === 0 ? [value, other] : [other, value]);
  const numbers = new Float32Array(channels * taps.length);
  for (let k = 0; k < numbers.length; k++) numbers[k] = taps[Math.floor(k / block) % taps.length] ?? 0;
  const kernel = along(taps.length, 1);
  return nchwcConv(b, [x, b.initializer("taps", float32([channels, 1, ...kernel], numbers))], {
    kernel,
    strides: along(TILE, 1),
    dilations: along(dilation, 1),
    pads: [...along(begin, 0), ...along(end, 0)],
    group: channels,
  });
}

/** Where in tiles [.., .., taps] of b·b weights each tap stands, tap after tap. */
function kernelOrder(
  [outputs = 1, inputs = 1]: readonly number[],
  block: number,
  form: "forward" | "turned",
): readonly number[] {
  const [o, i] = [outputs / block, inputs / block];
  const [taps, tiles] = [9, o * i];
  return Array.from({ length: taps * tiles }, (_, k) => {
    const [tap, tile] = [Math.floor(k / tiles), k % tiles];
    if (form === "forward") return tile * taps + tap;
    const [input, output] = [Math.floor(tile / o), tile % o];
    return (output * i + input) * taps + (taps - 1 - tap);
  });
}

/** G g Gᵀ of every kernel: for each place [K, C, 1, 1] in blocks. @param tiles of b·b weights. */
function places(
  b: GraphBuilder,
  { name, outputs, inputs }: KernelTiles,
  order: readonly number[],
  [m = 1, c = 1]: readonly number[],
): readonly string[] {
  const taps = b.op("Reshape", [picked(b, name, order.length, order), b.ints([9, m * c])]);
  const factors = PAIRS.flatMap(([i, j]) => (KERNEL[i] ?? []).flatMap((down) => times(KERNEL[j] ?? [], down)));
  const all = b.op("MatMul", [b.initializer("G", float32([PAIRS.length, 9], Float32Array.from(factors))), taps]);
  return split(b, all).map((place) => b.op("Reshape", [place, b.ints([outputs, inputs, 1, 1])]));
}

function times(row: readonly number[], factor: number): number[] {
  return row.map((each) => each * factor);
}

function split(b: GraphBuilder, rows: string): readonly string[] {
  return b.ops("Split", [rows], PAIRS.length, { axis: 0, num_outputs: PAIRS.length });
}

/** The result [N, K, H, W] in blocks, of what image and kernels hold at each place. */
function filtered(
  b: GraphBuilder,
  image: readonly string[],
  kernels: readonly string[],
  { dims: [n = 1], outputs, size, block }: Filtering,
  bias: string,
): string {
  const [height = 1, width = 1] = size;
  const [down = 1, across = 1] = size.map(tilesOf);
  const cells = outputs * n * down * across;
  const products = PAIRS.map(([i, j], k) => {
    const inputs = [image[k] ?? "", kernels[k] ?? "", ...(bias !== "" && i === EVENLY && j === EVENLY ? [bias] : [])];
    return b.op("Reshape", [nchwcConv(b, inputs, { kernel: [1, 1] }), b.ints([1, cells])]);
  });
  const factors = Array.from({ length: TILE ** 2 }, (_, at) =>
    PAIRS.map(([i, j]) => (OUTPUT[i]?.[Math.floor(at / TILE)] ?? 0) * (OUTPUT[j]?.[at % TILE] ?? 0)),
  );
  const matrix = b.initializer("A", float32([TILE ** 2, PAIRS.length], Float32Array.from(factors.flat())));
  const results = b.op("MatMul", [matrix, b.op("Concat", products, { axis: 0 })]);
  const apart = b.op("Reshape", [results, b.ints([TILE, TILE, outputs / block, n, down, across, block])]);
  const together = b.op("Transpose", [apart], { perm: [3, 2, 4, 0, 5, 1, 6] });
  const [rows, columns] = [down * TILE, across * TILE];
  const images = b.op("Reshape", [together, b.ints([(n * outputs) / block, rows, columns * block])]);
  const wanted =
    rows === height && columns === width
      ? images
      : b.op("Slice", [images, b.ints([0, 0]), b.ints([height, width * block]), b.ints([1, 2])]);
  return b.op("Reshape", [wanted, b.ints([n, outputs, height, width])]);
}

function kernelGradient({ b, input, once }: Emission, geometry: ConvGeometry, block: number): string {
  const { xDims, yDims, wDims, axes } = geometry;
  const [n = 1, c = 1] = xDims;
  const [, m = 1, ...size] = yDims;
  const tiles = size.map(tilesOf);
  const begins = axes.map(({ begin }) => begin);
  const image = imagePlaces(b, once, input(0), { dims: xDims, size, begins, block });
  const kept = new Map<string, string>();
  const own = (key: string, make: () => string): string => {
    const name = kept.get(key) ?? make();
    kept.set(key, name);
    return name;
  };
  const gradient = tilePlaces(b, own, input(1), OUTPUT, { dims: yDims, tiles, begins: [0, 0], block });
  const cells = n * tiles.reduce((product, count) => product * count, 1);
  /** [1, channels, rows, columns] in blocks → [cells, channels] */
  const asMatrix = (place: string, channels: number): string => {
    const last = nchwcOp(b, "ReorderOutput", [place], { channels, channels_last: 1 });
    return b.op("Reshape", [last, b.ints([cells, channels])]);
  };
  const products = PAIRS.map((_, k) => {
    const [left, right] = [asMatrix(gradient[k] ?? "", m), asMatrix(image[k] ?? "", c)];
    const product = b.op("FusedMatMul", [left, right], { transA: 1 }, { domain: "com.microsoft" });
    return b.op("Reshape", [product, b.ints([1, m * c])]);
  });
  const factors = Array.from({ length: 9 }, (_, tap) =>
    PAIRS.map(([i, j]) => (KERNEL[i]?.[Math.floor(tap / 3)] ?? 0) * (KERNEL[j]?.[tap % 3] ?? 0)),
  );
  const matrix = b.initializer("GT", float32([9, PAIRS.length], Float32Array.from(factors.flat())));
  const taps = b.op("MatMul", [matrix, b.op("Concat", products, { axis: 0 })]);
  return b.op("Reshape", [b.op("Transpose", [taps], { perm: [1, 0] }), b.ints(wDims)]);
}
