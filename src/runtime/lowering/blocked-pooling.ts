/**
 * @file Maximum pooling of images in blocks, whatever their lanes, where windows tile the image; other windows are pooled
 * in plain order.
 *
 * ONNX Runtime finds the places of maxima (`Indices`) one number at a time, and only in plain order: at 28×28 that alone
 * took a sixth of a LeNet-5 step. In blocks the maxima are quick to have, and the gradient is worked out from them.
 */

import { plannedWindows, poolGeometry, type WindowAxis } from "../../autodiff/windows.js";
import { type GraphBuilder, float } from "../../onnx/builder.js";
import { intsAttribute } from "../../onnx/graph.js";
import { blockedOp } from "./blocked.js";
import type { FormContext } from "./blocked-forms.js";

export function maxPool({ node, b, layouts }: FormContext): boolean {
  const [x = "", y = ""] = [...node.inputs, ...node.outputs];
  const place = layouts.place(x);
  if (place === undefined || node.outputs.length > 1) return false;
  const axes = plannedWindows(node, place.dims, intsAttribute(node, "kernel_shape") ?? []);
  if (!axes?.every(tiles)) return false;
  const kernel = axes.map((axis) => axis.kernel);
  const pooled = blockedOp(b, "MaxPool", [layouts.at(x, place)], { kernel_shape: kernel, strides: kernel });
  layouts.give(y, pooled, [...place.dims.slice(0, 2), ...axes.map((axis) => axis.output)], place.lanes);
  return true;
}

/**
 * Each cell of a window in turn takes what earlier ones have left of the window's gradient, if it holds the maximum; the
 * last one takes the rest.
 */
export function maxPoolGrad({ node, b, layouts, block }: FormContext): boolean {
  const [x = "", y = "", dy = "", dx = ""] = [...node.inputs, ...node.outputs];
  const place = layouts.place(x);
  const { axes, yDims, xDims } = poolGeometry(node);
  const [rows, columns] = axes;
  if (place === undefined || rows === undefined || columns === undefined || !axes.every(tiles)) return false;
  const [n = 1, c = 1, ...sizes] = xDims;
  const physical = place.lanes === "channels" ? [n, c, ...sizes] : [c, n, ...sizes];
  const lines = ((n * c) / block) * rows.output;
  const grid = { lines, rows: rows.kernel, windows: columns.output, columns: columns.kernel, block };
  const small = { ...place, dims: yDims };
  const maxima = perWindow(b, layouts.at(y, small), grid);
  let left = perWindow(b, layouts.at(dy, small), grid);
  const cells = cellsOf(b, layouts.at(x, place), grid);
  const shares = cells.slice(0, -1).map((cell) => {
    const share = b.op("Mul", [left, whereEqual(b, cell, maxima)]);
    left = b.op("Sub", [left, share]);
    return share;
  });
  layouts.give(dx, b.op("Reshape", [joined(b, [...shares, left], grid), b.ints(physical)]), xDims, place.lanes);
  return true;
}

/** Windows of an image in blocks: lines of windows, each of `rows` times `columns` cells of a block. */
interface Grid {
  readonly lines: number;
  readonly rows: number;
  readonly windows: number;
  readonly columns: number;
  readonly block: number;
}

/** The same lanes, a row for each window. */
function perWindow(b: GraphBuilder, value: string, { lines, windows, block }: Grid): string {
  return b.op("Reshape", [value, b.ints([lines * windows, 1, block])]);
}

/** One value for each cell of a window, in row-major order: [windows of all lines, 1, block]. */
function cellsOf(b: GraphBuilder, x: string, { lines, rows, windows, columns, block }: Grid): string[] {
  const split = (value: string, parts: number, before: number, after: number): string[] => {
    const shaped = b.op("Reshape", [value, b.ints([before, parts, after])]);
    if (parts === 1) return [shaped];
    return b.ops("Split", [shaped, b.ints(Array<number>(parts).fill(1))], parts, { axis: 1 });
  };
  return split(x, rows, lines, windows * columns * block).flatMap((row) => split(row, columns, lines * windows, block));
}

/** The way back from `cellsOf`. */
function joined(b: GraphBuilder, cells: readonly string[], { lines, rows, windows, columns, block }: Grid): string {
  const along = (parts: readonly string[]): string => b.op("Concat", parts, { axis: 1 });
  const across = Array.from({ length: rows }, (_, row) =>
    b.op("Reshape", [
      along(cells.slice(row * columns, (row + 1) * columns)),
      b.ints([lines, 1, windows * columns * block]),
    ]),
  );
  return along(across);
}

/** 1 where the value is the maximum, else 0: `value − maximum` is never above 0, and 3.4e38 times less than that. */
function whereEqual(b: GraphBuilder, value: string, maximum: string): string {
  return b.op("HardSigmoid", [b.op("Sub", [value, maximum])], { alpha: float(3.4e38), beta: float(1) });
}

/** Whether the windows lie edge to edge and cover every cell once. */
function tiles({ input, output, kernel, stride, dilation, begin }: WindowAxis): boolean {
  return begin === 0 && (dilation === 1 || kernel === 1) && stride === kernel && stride * output === input;
}
