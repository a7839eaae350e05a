/** @file Operators that take elements from, or put them at, places that a tensor of indices names. */

import { intAttribute, stringAttribute } from "../../../onnx/graph.js";
import { at, forEachIndex, type Kernels, offset, positiveAxis, type RefTensor, tabulate } from "./kernel.js";

/** The place in the first axes of `dims` that row `outer` of `indices` names. */
const placeAt = (indices: RefTensor, outer: readonly number[], dims: readonly number[]): number[] =>
  Array.from({ length: indices.dims.at(-1) ?? 0 }, (_, k) => positiveAxis(at(indices, [...outer, k]), dims[k] ?? 1));

export const indexingKernels: Kernels = {
  GatherND: ({ input, node }) => {
    const [x, indices] = [input(0), input(1)];
    const batch = intAttribute(node, "batch_dims", 0);
    const outer = indices.dims.slice(0, -1);
    const named = batch + (indices.dims.at(-1) ?? 0);
    return [
      tabulate([...outer, ...x.dims.slice(named)], (index) => {
        const row = index.slice(0, outer.length);
        const place = placeAt(indices, row, x.dims.slice(batch));
        return at(x, [...row.slice(0, batch), ...place, ...index.slice(outer.length)]);
      }),
    ];
  },
  ScatterND: ({ input, node }) => {
    const [x, indices, updates] = [input(0), input(1), input(2)];
    const y = { dims: x.dims, data: x.data.slice() };
    const add = stringAttribute(node, "reduction", "none") === "add";
    const outer = indices.dims.length - 1;
    forEachIndex(updates.dims, (index) => {
      const place = offset(y, [...placeAt(indices, index.slice(0, outer), x.dims), ...index.slice(outer)]);
      y.data[place] = at(updates, index) + (add ? (y.data[place] ?? 0) : 0);
    });
    return [y];
  },
  ScatterElements: ({ input, node }) => {
    const [x, indices, updates] = [input(0), input(1), input(2)];
    const axis = positiveAxis(intAttribute(node, "axis", 0), x.dims.length);
    const y = { dims: x.dims, data: x.data.slice() };
    const add = stringAttribute(node, "reduction", "none") === "add";
    forEachIndex(updates.dims, (index) => {
      const place = offset(y, index.with(axis, positiveAxis(at(indices, index), x.dims[axis] ?? 1)));
      y.data[place] = at(updates, index) + (add ? (y.data[place] ?? 0) : 0);
    });
    return [y];
  },
  /** Sorted, ties by the lower index. */
  TopK: ({ input, node }) => {
    const x = input(0);
    const axis = positiveAxis(intAttribute(node, "axis", -1), x.dims.length);
    const sign = intAttribute(node, "largest", 1) === 1 ? -1 : 1;
    const dims = x.dims.with(axis, input(1).data[0] ?? 0);
    const places = tabulate(dims, (index) => {
      const value = (place: number): number => sign * at(x, index.with(axis, place));
      const order = Array.from({ length: x.dims[axis] ?? 0 }, (_, place) => place);
      return order.toSorted((a, b) => value(a) - value(b) || a - b)[index[axis] ?? 0] ?? 0;
    });
    return [tabulate(dims, (index) => at(x, index.with(axis, at(places, index)))), places];
  },
};
