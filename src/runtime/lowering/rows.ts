/**
 * @file What windows read as rows of a matrix, gathered at once: how a GPU convolves images of few positions, and finds
 * the gradients of kernels.
 *
 * An operator costs a GPU some ten microseconds whatever it does, so one `Gather` stands here for the `Slice` of each
 * tap and the `Concat` of them all. With channels last, what a window reads at one tap is a row; what it reads at all
 * of them, side by side, is a row of the matrix whose product with the kernel is the convolution.
 */

import type { WindowAxis } from "../../autodiff/windows.js";
import { elementCount } from "../../core/tensor.js";
import type { Emission } from "./rewrite.js";

/** Which cells are read, by place and then by tap. */
export interface Reads {
  readonly places: number;
  readonly taps: number;
  /** Numbers of cells in row-major order; −1 where nothing is read: padding, or a cell that a stride leaves out. */
  readonly cells: readonly number[];
}

/** What the windows read of x, by window. */
export const readsOfWindows = (axes: readonly WindowAxis[]): Reads =>
  readsAlong(
    axes.map(({ input, output, kernel, stride, dilation, begin }) => ({
      ...{ places: output, taps: kernel, cells: input },
      cellAt: (window, tap) => window * stride + tap * dilation - begin,
    })),
  );

/** The windows that read a cell of x, by cell: what a gradient to x is summed from. */
export const readsOfCells = (axes: readonly WindowAxis[]): Reads =>
  readsAlong(
    axes.map(({ input, output, kernel, stride, dilation, begin }) => ({
      ...{ places: input, taps: kernel, cells: output },
      cellAt: (cell, tap) => (cell + begin - tap * dilation) / stride,
    })),
  );

/** One axis; `cellAt` may give what is no cell. */
interface AxisReads {
  readonly places: number;
  readonly taps: number;
  readonly cells: number;
  readonly cellAt: (place: number, tap: number) => number;
}

function readsAlong(axes: readonly AxisReads[]): Reads {
  const places = elementCount(axes.map((axis) => axis.places));
  const taps = elementCount(axes.map((axis) => axis.taps));
  const cells: number[] = [];
  for (let place = 0; place < places; place++) {
    for (let tap = 0; tap < taps; tap++) cells.push(cellRead(axes, place, tap));
  }
  return { places, taps, cells };
}

/** @param place and `tap` are numbered in row-major order over all axes. */
function cellRead(axes: readonly AxisReads[], place: number, tap: number): number {
  let [cell, size, places, taps] = [0, 1, place, tap];
  for (const axis of axes.toReversed()) {
    const found = axis.cellAt(places % axis.places, taps % axis.taps);
    if (!Number.isInteger(found) || found < 0 || found >= axis.cells) return -1;
    cell += size * found;
    size *= axis.cells;
    places = Math.floor(places / axis.places);
    taps = Math.floor(taps / axis.taps);
  }
  return cell;
}

/**
 * The matrix of what is read, made once for a value and its reads.
 *
 * @param value of dimensions `dims`, [N, C, …spatial]
 * @returns [N, places, taps · C]
 */
export function gatheredRows(
  { b, once }: Emission,
  value: string,
  dims: readonly number[],
  { places, taps, cells }: Reads,
): string {
  const [n = 1, c = 1, ...spatial] = dims;
  const size = elementCount(spatial);
  const rows = once(`${value}, channels last`, () => {
    const flat = b.op("Reshape", [value, b.ints(c === 1 ? [n, size, 1] : [n, c, size])]);
    return c === 1 ? flat : b.op("Transpose", [flat], { perm: [0, 2, 1] });
  });
  if (taps === 1 && places === size && cells.every((cell, place) => cell === place)) return rows;
  const [padded, chosen] = cells.includes(-1)
    ? [
        // A row of zeros at the end is what is read where nothing is.
        once(`${value}, channels last, padded`, () => b.op("Pad", [rows, b.ints([0, 0, 0, 0, 1, 0]), b.scalar(0)])),
        b.ints(cells.map((cell) => (cell === -1 ? size : cell))),
      ]
    : [rows, b.ints(cells)];
  return once(`${padded} at ${chosen}`, () =>
    b.op("Reshape", [b.op("Gather", [padded, chosen], { axis: 1 }), b.ints([n, places, taps * c])]),
  );
}

/**
 * Images of the products of rows, [N · places, channels].
 *
 * @param dims [N, channels, …spatial]
 */
export function imagesOfRows({ b }: Emission, rows: string, dims: readonly number[]): string {
  const [n = 1, c = 1, ...spatial] = dims;
  const turned = b.op("Transpose", [b.op("Reshape", [rows, b.ints([n, elementCount(spatial), c])])], {
    perm: [0, 2, 1],
  });
  return b.op("Reshape", [turned, b.ints(dims)]);
}

/**
 * A kernel as the matrix that rows are multiplied by.
 *
 * @param wDims [M, C, …kernel]
 * @returns [taps · C, M] for windows that read x; [taps · M, C] for cells of x that read windows.
 */
export function kernelMatrix(
  { b }: Emission,
  kernel: string,
  wDims: readonly number[],
  reads: "windows" | "cells",
): string {
  const [m = 1, c = 1, ...sizes] = wDims;
  const taps = elementCount(sizes);
  const flat = b.op("Reshape", [kernel, b.ints([m, c, taps])]);
  const turned = b.op("Transpose", [flat], { perm: reads === "windows" ? [2, 1, 0] : [2, 0, 1] });
  return b.op("Reshape", [turned, b.ints(reads === "windows" ? [taps * c, m] : [taps * m, c])]);
}
