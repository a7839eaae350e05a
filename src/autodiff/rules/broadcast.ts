/** @file Undoing NumPy's broadcasting: what was repeated forwards is summed backwards. */

import { elementCount, sameDims } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";

/**
 * Sums `gradient` over the axes along which a value of `toDims` was repeated to become `fromDims`.
 *
 * Appends nothing where nothing was repeated, and at most a ReduceSum and a Reshape.
 */
export function sumTo(
  b: GraphBuilder,
  gradient: string,
  fromDims: readonly number[],
  toDims: readonly number[],
): string {
  if (sameDims(fromDims, toDims)) return gradient;
  const leading = fromDims.length - toDims.length;
  const axes = [...fromDims.keys()].filter(
    (axis) => fromDims[axis] !== 1 && (axis < leading || toDims[axis - leading] === 1),
  );
  if (axes.length === 0) return reshapeTo(b, gradient, fromDims, toDims);
  const keepdims = leading === 0 ? 1 : 0;
  const summed = b.op("ReduceSum", [gradient, b.ints(axes)], { keepdims });
  const summedDims = fromDims.flatMap((dim, axis) => (!axes.includes(axis) ? [dim] : keepdims === 1 ? [1] : []));
  return reshapeTo(b, summed, summedDims, toDims);
}

/** The same elements with other dimensions; `value` itself where they are the same. */
export function reshapeTo(
  b: GraphBuilder,
  value: string,
  fromDims: readonly number[],
  toDims: readonly number[],
): string {
  if (sameDims(fromDims, toDims)) return value;
  if (elementCount(fromDims) !== elementCount(toDims)) throw new Error(`[${fromDims}] cannot become [${toDims}]`);
  return b.op("Reshape", [value, b.ints(toDims)]);
}
