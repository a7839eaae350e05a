/**
 * @file What a reference kernel is: one ONNX operator by its definition, in float64, as plain loops.
 *
 * Booleans are 0 and 1, integers are whole numbers. Nothing here is quick; everything should be obviously right.
 */

import { elementCount, rowMajorStrides } from "../../../core/tensor.js";
import type { Node } from "../../../onnx/graph.js";

/** A tensor of any element type, as float64 in row-major order. */
export interface RefTensor {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export interface KernelContext {
  readonly node: Node;
  /** Input i; throws when it is left out. */
  input(i: number): RefTensor;
  /** Input i, or undefined when it is left out. */
  optional(i: number): RefTensor | undefined;
  /** All inputs of a variadic operator. */
  readonly all: readonly RefTensor[];
}

/** Gives the values of the node's outputs, in their order. */
export type Kernel = (context: KernelContext) => readonly RefTensor[];

/** Kernels by operator: "Relu", or "com.microsoft.Gelu" outside the standard domain. */
export type Kernels = Readonly<Record<string, Kernel>>;

/** The tensor whose element at each index is `element(index)`; the index array is reused, do not keep it. */
export function tabulate(dims: readonly number[], element: (index: readonly number[]) => number): RefTensor {
  const data = new Float64Array(elementCount(dims));
  const index = dims.map(() => 0);
  for (let flat = 0; flat < data.length; flat++) {
    data[flat] = element(index);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next === dims[axis] ? 0 : next;
      if (index[axis] !== 0) break;
    }
  }
  return { dims, data };
}

/** Calls `visit` with every index of `dims`, in row-major order. */
export function forEachIndex(dims: readonly number[], visit: (index: readonly number[], flat: number) => void): void {
  let flat = 0;
  tabulate(dims, (index) => {
    visit(index, flat++);
    return 0;
  });
}

/** Position of `index` in the row-major data of a tensor that broadcasts to the index's rank. */
export function offset(tensor: RefTensor, index: readonly number[]): number {
  const missing = index.length - tensor.dims.length;
  return rowMajorStrides(tensor.dims).reduce(
    (sum, stride, axis) => sum + (tensor.dims[axis] === 1 ? 0 : (index[axis + missing] ?? 0) * stride),
    0,
  );
}

/** The element at `index`; axes of size 1 and missing leading axes broadcast, as in NumPy. */
export function at(tensor: RefTensor, index: readonly number[]): number {
  return tensor.data[offset(tensor, index)] ?? Number.NaN;
}

/** NumPy's broadcast of several shapes. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, axis) =>
    shapes.reduce((dim, dims) => {
      const other = dims[axis - (rank - dims.length)] ?? 1;
      return dim === 1 ? other : dim;
    }, 1),
  );
}

/** −1 is the last axis. */
export function positiveAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
