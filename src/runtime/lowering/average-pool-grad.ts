/**
 * @file AveragePoolGrad(dy): each window's gradient, divided by the number of cells it averaged, goes to those cells.
 */

import { poolGeometry, transposeAttributes, type WindowAxis } from "../../autodiff/windows.js";
import { elementCount, float32 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { intAttribute, type Node } from "../../onnx/graph.js";
import { always, plainKernel, type Rewrite } from "./rewrite.js";

/** A `ConvTranspose` with ones, all channels as images of one channel: any window. */
const transposed = plainKernel("transposed", always, ({ b, input }, { node }) => {
  const { xDims, yDims, axes } = poolGeometry(node);
  const [n = 1, c = 1, ...windows] = yDims;
  const kernel = axes.map((axis) => axis.kernel);
  const shares = b.op("Reshape", [dividedByCount(b, node, input(0)), b.ints([n * c, 1, ...windows])]);
  const ones = b.initializer("ones", float32([1, 1, ...kernel], new Float32Array(elementCount(kernel)).fill(1)));
  const spread = b.op("ConvTranspose", [shares, ones], transposeAttributes(axes));
  return b.op("Reshape", [spread, b.ints(xDims)]);
});

/** dy / count: one number where all windows hold as many cells, else a constant of shape [1, 1, …windows]. */
function dividedByCount(b: GraphBuilder, node: Node, dy: string): string {
  const { axes } = poolGeometry(node);
  const includePad = intAttribute(node, "count_include_pad", 0) === 1;
  const counts = axes.map((axis) => cellsPerWindow(axis, includePad));
  const products = counts.reduce((heads, axis) => heads.flatMap((head) => axis.map((count) => head * count)), [1]);
  const [first = 1] = products;
  const divisor = products.every((count) => count === first)
    ? b.scalar(1 / first)
    : b.initializer(
        "share",
        float32(
          [1, 1, ...counts.map((axis) => axis.length)],
          products.map((count) => 1 / count),
        ),
      );
  return b.op("Mul", [dy, divisor]);
}

/** How many cells each window on this axis averages: those of the input, or with the padding around it. */
function cellsPerWindow(axis: WindowAxis, includePad: boolean): number[] {
  const first = includePad ? -axis.begin : 0;
  const last = axis.input - 1 + (includePad ? axis.end : 0);
  return Array.from({ length: axis.output }, (_, o) => {
    const cells = Array.from({ length: axis.kernel }, (_, k) => o * axis.stride + k * axis.dilation - axis.begin);
    return cells.filter((cell) => cell >= first && cell <= last).length;
  });
}

export const averagePoolGrad: Rewrite = {
  operator: "wildmark.AveragePoolGrad",
  // Where windows tile the input, Reshape and Expand would do, but took 2 to 7 times as long.
  kernels: [transposed],
};
