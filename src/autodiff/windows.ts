/**
 * @file Sliding windows: what convolutions and poolings have in common, one record an axis.
 *
 * ONNX writes the same window in many ways (pads or auto_pad, rounding down or up, defaults left out). Here all of them
 * become plain numbers, worked out from the shapes that the runtime really produced.
 */

import type { AttributeShorthand } from "../onnx/builder.js";
import { describeNode, intAttribute, intsAttribute, type Node, stringAttribute } from "../onnx/graph.js";

/** Window number o on this axis reads the cells o·stride + k·dilation − begin for k = 0 … kernel − 1. */
export interface WindowAxis {
  /** Cells of the tensor that is read. */
  readonly input: number;
  /** Number of windows. */
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding before and after, in cells, never negative. */
  readonly begin: number;
  readonly end: number;
}

/** Cells from the first to the last that one window reads. */
export function extent({ kernel, dilation }: WindowAxis): number {
  return (kernel - 1) * dilation + 1;
}

/**
 * Cells at the end of the padded axis that no window reaches, because the stride does not divide it; negative where
 * ceil_mode lets the last window run past the padding.
 */
export function leftover(axis: WindowAxis): number {
  return axis.input + axis.begin + axis.end - extent(axis) - axis.stride * (axis.output - 1);
}

/** The padding at the end that windows do read, which ceil_mode may lengthen and a stride may leave unread. */
export function readEnd(axis: WindowAxis): number {
  return Math.max(0, axis.end - leftover(axis));
}

/** Whether no cell is read by two windows. */
export function disjoint(axes: readonly WindowAxis[]): boolean {
  return axes.every((axis) => axis.output === 1 || axis.stride >= extent(axis));
}

/** Whether the windows lie edge to edge and cover every cell once. */
export function tiling(axes: readonly WindowAxis[]): boolean {
  return axes.every(
    ({ input, output, kernel, stride, dilation, begin }) =>
      begin === 0 && (dilation === 1 || kernel === 1) && stride === kernel && stride * output === input,
  );
}

/**
 * The windows of a Conv or pooling node.
 *
 * @param xDims dimensions of what it reads, [N, C, …spatial].
 * @param yDims dimensions of what it gives, [N, M, …spatial].
 * @param kernel spatial dimensions of its kernel.
 */
export function windowsOf(
  node: Node,
  xDims: readonly number[],
  yDims: readonly number[],
  kernel: readonly number[],
): WindowAxis[] {
  const sizes = axesFrom(node, xDims, yDims, kernel);
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  if (autoPad === "NOTSET") return sizes;
  return sizes.map((axis) => {
    const unpadded = { ...axis, begin: 0, end: 0 };
    if (autoPad === "VALID") return unpadded;
    const total = Math.max(0, -leftover(unpadded));
    const half = Math.floor(total / 2);
    return autoPad === "SAME_LOWER"
      ? { ...axis, begin: total - half, end: half }
      : { ...axis, begin: half, end: total - half };
  });
}

/**
 * The windows of a Conv or pooling node that has not been run: as many as fit.
 *
 * @returns undefined where the node leaves padding or rounding to the runtime.
 */
export function plannedWindows(
  node: Node,
  xDims: readonly number[],
  kernel: readonly number[],
): WindowAxis[] | undefined {
  const plain = stringAttribute(node, "auto_pad", "NOTSET") === "NOTSET" && intAttribute(node, "ceil_mode", 0) === 0;
  if (!plain || xDims.length !== kernel.length + 2) return undefined;
  return axesFrom(node, xDims, [], kernel).map((axis) => ({
    ...axis,
    output: Math.floor((axis.input + axis.begin + axis.end - extent(axis)) / axis.stride) + 1,
  }));
}

/**
 * The windows of a ConvTranspose node, seen as those of the convolution that it is the transpose of: they read what the
 * node gives, and there are as many of them as it has inputs.
 */
export function transposedWindowsOf(
  node: Node,
  xDims: readonly number[],
  yDims: readonly number[],
  kernel: readonly number[],
): WindowAxis[] {
  const sizes = axesFrom(node, yDims, xDims, kernel);
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET");
  const explicit = intsAttribute(node, "output_shape") === undefined && autoPad === "NOTSET";
  if (explicit) return sizes;
  const outputPadding = intsAttribute(node, "output_padding");
  return sizes.map((axis, i) => {
    const unpadded = { ...axis, begin: 0, end: 0 };
    if (autoPad === "VALID") return unpadded;
    const total = Math.max(0, (outputPadding?.[i] ?? 0) - leftover(unpadded));
    const half = Math.floor(total / 2);
    return autoPad === "SAME_UPPER"
      ? { ...axis, begin: half, end: total - half }
      : { ...axis, begin: total - half, end: half };
  });
}

/** What a primitive on windows knows: the shapes of its convolution or pooling, and the windows. */
export interface WindowGeometry {
  /** [N, C, …spatial] */
  readonly xDims: readonly number[];
  /** [N, M, …spatial] */
  readonly yDims: readonly number[];
  readonly axes: readonly WindowAxis[];
}

export interface ConvGeometry extends WindowGeometry {
  /** [M, C / group, …kernel] */
  readonly wDims: readonly number[];
  readonly group: number;
}

/** The attributes of ConvGradInput and ConvGradWeight. */
export function convAttributes(geometry: ConvGeometry): Record<string, AttributeShorthand> {
  return {
    x_shape: geometry.xDims,
    w_shape: geometry.wDims,
    y_shape: geometry.yDims,
    ...stepAttributes(geometry.axes),
    group: geometry.group,
  };
}

/** The attributes of MaxPoolGrad and AveragePoolGrad (which adds count_include_pad). */
export function poolAttributes(geometry: WindowGeometry): Record<string, AttributeShorthand> {
  return {
    x_shape: geometry.xDims,
    y_shape: geometry.yDims,
    kernel_shape: geometry.axes.map((axis) => axis.kernel),
    ...stepAttributes(geometry.axes),
  };
}

/** Reads back `convAttributes`. */
export function convGeometry(node: Node): ConvGeometry {
  const xDims = required(node, "x_shape");
  const yDims = required(node, "y_shape");
  const wDims = required(node, "w_shape");
  return {
    xDims,
    yDims,
    wDims,
    axes: axesFrom(node, xDims, yDims, wDims.slice(2)),
    group: intAttribute(node, "group", 1),
  };
}

/** Reads back `poolAttributes`. */
export function poolGeometry(node: Node): WindowGeometry {
  const xDims = required(node, "x_shape");
  const yDims = required(node, "y_shape");
  return { xDims, yDims, axes: axesFrom(node, xDims, yDims, required(node, "kernel_shape")) };
}

/** Strides, pads (all begins, then all ends) and dilations, as ONNX writes them. */
export function stepAttributes(axes: readonly WindowAxis[]): Record<string, readonly number[]> {
  return {
    strides: axes.map((axis) => axis.stride),
    pads: [...axes.map((axis) => axis.begin), ...axes.map((axis) => axis.end)],
    dilations: axes.map((axis) => axis.dilation),
  };
}

/**
 * The same with output_padding, for the ConvTranspose that leads from the windows back to what they read. Cells that no
 * window reaches lengthen its output: first at the cost of the padding, then by output_padding.
 */
export function transposeAttributes(axes: readonly WindowAxis[]): Record<string, readonly number[]> {
  return {
    ...stepAttributes(axes.map((axis) => ({ ...axis, end: readEnd(axis) }))),
    output_padding: axes.map((axis) => Math.max(0, leftover(axis) - axis.end)),
  };
}

/** All positions in a kernel, in row-major order. */
export function taps(axes: readonly WindowAxis[]): number[][] {
  return axes.reduce<number[][]>(
    (heads, { kernel }) => heads.flatMap((head) => Array.from({ length: kernel }, (_, k) => [...head, k])),
    [[]],
  );
}

function axesFrom(
  node: Node,
  xDims: readonly number[],
  yDims: readonly number[],
  kernel: readonly number[],
): WindowAxis[] {
  const strides = intsAttribute(node, "strides");
  const dilations = intsAttribute(node, "dilations");
  const pads = intsAttribute(node, "pads");
  return kernel.map((size, i) => ({
    input: xDims[i + 2] ?? 1,
    output: yDims[i + 2] ?? 1,
    kernel: size,
    stride: strides?.[i] ?? 1,
    dilation: dilations?.[i] ?? 1,
    begin: pads?.[i] ?? 0,
    end: pads?.[i + kernel.length] ?? 0,
  }));
}

function required(node: Node, name: string): readonly number[] {
  const value = intsAttribute(node, name);
  if (value === undefined) throw new Error(`${describeNode(node)} lacks its attribute ${name}`);
  return value;
}
