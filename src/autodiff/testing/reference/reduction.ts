/** @file Reductions over axes that are given as an input (opset 18 and later). */

import { intAttribute } from "../../../onnx/graph.js";
import { at, forEachIndex, type Kernel, type Kernels, offset, positiveAxis, tabulate } from "./kernel.js";

const reduction =
  (reduce: (values: readonly number[]) => number): Kernel =>
  ({ input, optional, node }) => {
    const x = input(0);
    const axes = Array.from(optional(1)?.data ?? [], (axis) => positiveAxis(axis, x.dims.length));
    const all = axes.length === 0 && intAttribute(node, "noop_with_empty_axes", 0) === 0;
    const isReduced = (axis: number): boolean => all || axes.includes(axis);
    const kept = tabulate(
      x.dims.map((dim, axis) => (isReduced(axis) ? 1 : dim)),
      () => 0,
    );
    const groups = Array.from(kept.data, (): number[] => []);
    forEachIndex(x.dims, (index) => groups[offset(kept, index)]?.push(at(x, index)));
    const keepDims = intAttribute(node, "keepdims", 1) === 1;
    const dims = keepDims ? kept.dims : x.dims.filter((_, axis) => !isReduced(axis));
    return [{ dims, data: Float64Array.from(groups, reduce) }];
  };

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const reductionKernels: Kernels = {
  ReduceSum: reduction(sum),
  ReduceMean: reduction((values) => sum(values) / values.length),
  ReduceSumSquare: reduction((values) => sum(values.map((value) => value * value))),
  ReduceL1: reduction((values) => sum(values.map(Math.abs))),
  ReduceL2: reduction((values) => Math.hypot(...values)),
  ReduceLogSumExp: reduction((values) => Math.log(sum(values.map(Math.exp)))),
  ReduceLogSum: reduction((values) => Math.log(sum(values))),
  ReduceProd: reduction((values) => values.reduce((product, value) => product * value, 1)),
  ReduceMax: reduction((values) => Math.max(...values)),
  ReduceMin: reduction((values) => Math.min(...values)),
};
