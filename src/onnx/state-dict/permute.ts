/** @file A tensor with its axes in another order. */

import { elementCount, type FloatTensor, float32, rowMajorStrides } from "../../core/tensor.js";

/** Axis i of the result is axis `perm[i]` of the tensor. The tensor itself where nothing moves. */
export function permuted(tensor: FloatTensor, perm: readonly number[]): FloatTensor {
  if (perm.every((axis, i) => axis === i)) return tensor;
  const dims = perm.map((axis) => tensor.dims[axis] ?? 1);
  const strides = rowMajorStrides(tensor.dims);
  const steps = perm.map((axis) => strides[axis] ?? 0);
  const data = new Float32Array(elementCount(dims));
  const index = dims.map(() => 0);
  let from = 0;
  for (let at = 0; at < data.length; at++) {
    data[at] = tensor.data[from] ?? 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      from += steps[axis] ?? 0;
      if (next < (dims[axis] ?? 1)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      from -= next * (steps[axis] ?? 0);
    }
  }
  return float32(dims, data);
}

/**
 * The orders in which exporters store a kernel of so many axes: as it is; a dense layer's transposed; a convolution's
 * kernel with its channels last (HWIO), and back.
 */
export function storedOrders(rank: number): readonly (readonly number[])[] {
  const same = Array.from({ length: rank }, (_, axis) => axis);
  if (rank === 2) return [same, [1, 0]];
  if (rank < 3) return [same];
  const spatial = same.slice(2);
  // Of a tensor stored as [..., I, O]: O, I, then the rest. And of one stored as [O, I, ...].
  const channelsLast = [rank - 1, rank - 2, ...spatial.map((axis) => axis - 2)];
  return [same, channelsLast, [...spatial, 1, 0]];
}
