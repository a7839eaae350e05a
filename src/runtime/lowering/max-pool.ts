/**
 * @file Maximum pooling of images in blocks, whatever their lanes, where windows tile the image; other windows are
 * pooled in plain order.
 */

import { plannedWindows, tiling } from "../../autodiff/windows.js";
import { intsAttribute } from "../../onnx/graph.js";
import { nchwcOp } from "./nchwc.js";
import type { Kernel, Rewrite } from "./rewrite.js";

const nchwc: Kernel = {
  name: "nchwc",
  match({ node, place }) {
    const lying = place(node.inputs[0] ?? "");
    if (lying === undefined || node.outputs.length > 1) return undefined;
    const axes = plannedWindows(node, lying.dims, intsAttribute(node, "kernel_shape") ?? []);
    if (axes === undefined || !tiling(axes)) return undefined;
    const kernel = axes.map((axis) => axis.kernel);
    return {
      reads: [lying],
      gives: { ...lying, dims: [...lying.dims.slice(0, 2), ...axes.map((axis) => axis.output)] },
      append: ({ b, input }) => nchwcOp(b, "MaxPool", [input(0)], { kernel_shape: kernel, strides: kernel }),
    };
  },
};

export const maxPool: Rewrite = { operator: "MaxPool", inBlocks: [nchwc] };
