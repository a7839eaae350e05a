/** @file Operators that move no numbers or only move them: shapes, axes, pieces of tensors. */

import { elementCount } from "../../../core/tensor.js";
import { intAttribute, intsAttribute, stringAttribute } from "../../../onnx/graph.js";
import { at, broadcastDims, type Kernels, positiveAxis, type RefTensor, tabulate } from "./kernel.js";

const vector = (values: readonly number[]): RefTensor => ({ dims: [values.length], data: Float64Array.from(values) });

const withDims = (x: RefTensor, dims: readonly number[]): RefTensor => ({ dims, data: x.data });

export const shapeKernels: Kernels = {
  Shape: ({ input }) => [vector(input(0).dims)],
  Reshape: ({ input, node }) => {
    const x = input(0);
    const copied = Array.from(input(1).data, (dim, axis) =>
      dim === 0 && intAttribute(node, "allowzero", 0) === 0 ? (x.dims[axis] ?? 0) : dim,
    );
    const known = elementCount(copied.filter((dim) => dim !== -1));
    return [
      withDims(
        x,
        copied.map((dim) => (dim === -1 ? x.data.length / known : dim)),
      ),
    ];
  },
  Flatten: ({ input, node }) => {
    const { dims } = input(0);
    const axis = positiveAxis(intAttribute(node, "axis", 1), dims.length);
    return [withDims(input(0), [elementCount(dims.slice(0, axis)), elementCount(dims.slice(axis))])];
  },
  Squeeze: ({ input, optional }) => {
    const { dims } = input(0);
    const axes = optional(1)?.data;
    const dropped = Array.from(axes ?? [], (axis) => positiveAxis(axis, dims.length));
    return [
      withDims(
        input(0),
        dims.filter((dim, axis) => (axes === undefined ? dim !== 1 : !dropped.includes(axis))),
      ),
    ];
  },
  Unsqueeze: ({ input }) => {
    const { dims } = input(0);
    const rank = dims.length + input(1).data.length;
    const axes = Array.from(input(1).data, (axis) => positiveAxis(axis, rank));
    let next = 0;
    const grown = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (dims[next++] ?? 1)));
    return [withDims(input(0), grown)];
  },
  Transpose: ({ input, node }) => {
    const x = input(0);
    const perm = intsAttribute(node, "perm") ?? x.dims.map((_, axis) => x.dims.length - 1 - axis);
    return [
      tabulate(
        perm.map((axis) => x.dims[axis] ?? 1),
        (index) =>
          at(
            x,
            x.dims.map((_, axis) => index[perm.indexOf(axis)] ?? 0),
          ),
      ),
    ];
  },
  Expand: ({ input }) => [
    tabulate(broadcastDims(input(0).dims, Array.from(input(1).data)), (index) => at(input(0), index)),
  ],
  Concat: ({ all, node }) => {
    const [first] = all;
    if (first === undefined) throw new Error("Concat of nothing");
    const axis = positiveAxis(intAttribute(node, "axis", 0), first.dims.length);
    const total = all.reduce((sum, part) => sum + (part.dims[axis] ?? 0), 0);
    return [
      tabulate(first.dims.with(axis, total), (index) => {
        let place = index[axis] ?? 0;
        for (const part of all) {
          const size = part.dims[axis] ?? 0;
          if (place < size) return at(part, index.with(axis, place));
          place -= size;
        }
        return Number.NaN;
      }),
    ];
  },
  Split: ({ input, optional, node }) => {
    const x = input(0);
    const axis = positiveAxis(intAttribute(node, "axis", 0), x.dims.length);
    const size = x.dims[axis] ?? 0;
    const count = node.outputs.length;
    const even = Math.ceil(size / count);
    const sizes = Array.from(
      optional(1)?.data ?? Array.from({ length: count }, (_, i) => Math.min(even, size - i * even)),
    );
    let start = 0;
    return sizes.map((part) => {
      const from = start;
      start += part;
      return tabulate(x.dims.with(axis, part), (index) => at(x, index.with(axis, from + (index[axis] ?? 0))));
    });
  },
  /** As Python's x[start:end:step] on each of the axes. */
  Slice: ({ input, optional }) => {
    const x = input(0);
    const starts = Array.from(input(1).data);
    const axes = Array.from(optional(3)?.data ?? starts.keys(), (axis) => positiveAxis(axis, x.dims.length));
    const places = x.dims.map((dim) => Array.from({ length: dim }, (_, place) => place));
    axes.forEach((axis, i) => {
      const size = x.dims[axis] ?? 0;
      const step = optional(4)?.data[i] ?? 1;
      const bound = (value: number): number => {
        const place = value < 0 ? value + size : value;
        return step > 0 ? Math.min(Math.max(place, 0), size) : Math.min(Math.max(place, -1), size - 1);
      };
      const end = bound(input(2).data[i] ?? size);
      const chosen: number[] = [];
      for (let place = bound(starts[i] ?? 0); step > 0 ? place < end : place > end; place += step) chosen.push(place);
      places[axis] = chosen;
    });
    return [
      tabulate(
        places.map((chosen) => chosen.length),
        (index) =>
          at(
            x,
            places.map((chosen, axis) => chosen[index[axis] ?? 0] ?? 0),
          ),
      ),
    ];
  },
  /** Constant mode only; negative pads crop. */
  Pad: ({ input, optional, node }) => {
    const mode = stringAttribute(node, "mode", "constant");
    if (mode !== "constant") throw new Error(`the reference does not pad with mode ${mode}`);
    const x = input(0);
    const axes = Array.from(optional(3)?.data ?? x.dims.keys(), (axis) => positiveAxis(axis, x.dims.length));
    const pads = Array.from(input(1).data);
    const begins = x.dims.map((_, axis) => (axes.includes(axis) ? (pads[axes.indexOf(axis)] ?? 0) : 0));
    const ends = x.dims.map((_, axis) => (axes.includes(axis) ? (pads[axes.indexOf(axis) + axes.length] ?? 0) : 0));
    const fill = optional(2)?.data[0] ?? 0;
    return [
      tabulate(
        x.dims.map((dim, axis) => dim + (begins[axis] ?? 0) + (ends[axis] ?? 0)),
        (index) => {
          const place = index.map((i, axis) => i - (begins[axis] ?? 0));
          const inside = place.every((i, axis) => i >= 0 && i < (x.dims[axis] ?? 0));
          return inside ? at(x, place) : fill;
        },
      ),
    ];
  },
  Gather: ({ input, node }) => {
    const [x, indices] = [input(0), input(1)];
    const axis = positiveAxis(intAttribute(node, "axis", 0), x.dims.length);
    const last = axis + indices.dims.length;
    return [
      tabulate([...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)], (index) => {
        const chosen = positiveAxis(at(indices, index.slice(axis, last)), x.dims[axis] ?? 0);
        return at(x, [...index.slice(0, axis), chosen, ...index.slice(last)]);
      }),
    ];
  },
  GatherElements: ({ input, node }) => {
    const [x, indices] = [input(0), input(1)];
    const axis = positiveAxis(intAttribute(node, "axis", 0), x.dims.length);
    return [
      tabulate(indices.dims, (index) => at(x, index.with(axis, positiveAxis(at(indices, index), x.dims[axis] ?? 0)))),
    ];
  },
};
