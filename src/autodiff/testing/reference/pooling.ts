/** @file Poolings, windowed and global. */

import { elementCount } from "../../../core/tensor.js";
import { intAttribute, intsAttribute, type Node } from "../../../onnx/graph.js";
import { type WindowGeometry, windowsOf } from "../../windows.js";
import type { Kernel, Kernels, RefTensor } from "./kernel.js";
import { averagePoolForward, maxPoolForward, maxPoolPlaces, windowCounts } from "./sliding.js";

export const poolingKernels: Kernels = {
  MaxPool: ({ node, input }) => {
    const geometry = geometryOf(node, input(0));
    const { yDims: dims } = geometry;
    const places = Float64Array.from(maxPoolPlaces(input(0).data, geometry));
    return [
      { dims, data: maxPoolForward(input(0).data, geometry) },
      { dims, data: places },
    ];
  },
  AveragePool: ({ node, input }) => {
    const geometry = geometryOf(node, input(0));
    const includePad = intAttribute(node, "count_include_pad", 0) === 1;
    return [{ dims: geometry.yDims, data: averagePoolForward(input(0).data, geometry, includePad) }];
  },
  GlobalMaxPool: global((cells) => Math.max(...cells)),
  GlobalAveragePool: global((cells) => cells.reduce((sum, cell) => sum + cell, 0) / cells.length),
};

function geometryOf(node: Node, { dims: xDims }: RefTensor): WindowGeometry {
  const kernel = intsAttribute(node, "kernel_shape") ?? [];
  const [n = 1, c = 1, ...spatial] = xDims;
  const yDims = [n, c, ...windowCounts(node, spatial, kernel)];
  return { xDims, yDims, axes: windowsOf(node, xDims, yDims, kernel) };
}

function global(reduce: (cells: Float64Array) => number): Kernel {
  return ({ input }) => {
    const { dims, data } = input(0);
    const [n = 1, c = 1, ...spatial] = dims;
    const size = elementCount(spatial);
    const values = Float64Array.from({ length: n * c }, (_, i) => reduce(data.subarray(i * size, (i + 1) * size)));
    return [{ dims: [n, c, ...spatial.map(() => 1)], data: values }];
  };
}
