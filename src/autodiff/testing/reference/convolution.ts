/** @file Conv and ConvTranspose with all their ways of padding. */

import { intAttribute, intsAttribute, type Node, stringAttribute } from "../../../onnx/graph.js";
import { type ConvGeometry, transposedWindowsOf, windowsOf } from "../../windows.js";
import { type Kernels, type RefTensor, tabulate } from "./kernel.js";
import { convForward, convGradInput, windowCounts } from "./sliding.js";

export const convolutionKernels: Kernels = {
  Conv: ({ node, input, optional }) => {
    const [x, w] = [input(0), input(1)];
    const [m = 1, , ...kernel] = w.dims;
    const [n = 1] = x.dims;
    const yDims = [n, m, ...windowCounts(node, x.dims.slice(2), kernel)];
    const axes = windowsOf(node, x.dims, yDims, kernel);
    const geometry = { xDims: x.dims, wDims: w.dims, yDims, axes, group: intAttribute(node, "group", 1) };
    return [withBias({ dims: yDims, data: convForward(x.data, w.data, geometry) }, optional(2))];
  },

  ConvTranspose: ({ node, input, optional }) => {
    const [x, w] = [input(0), input(1)];
    const [, mPerGroup = 1, ...kernel] = w.dims;
    const group = intAttribute(node, "group", 1);
    const [n = 1] = x.dims;
    const yDims = [n, mPerGroup * group, ...transposedSizes(node, x.dims.slice(2), kernel)];
    const axes = transposedWindowsOf(node, x.dims, yDims, kernel);
    const geometry: ConvGeometry = { xDims: yDims, wDims: w.dims, yDims: x.dims, axes, group };
    return [withBias({ dims: yDims, data: convGradInput(x.data, w.data, geometry) }, optional(2))];
  },
};

/** stride · (size − 1) + output_padding + extent − pads, unless the node names its output's shape or a multiple. */
function transposedSizes(node: Node, sizes: readonly number[], kernel: readonly number[]): readonly number[] {
  const named = intsAttribute(node, "output_shape");
  if (named !== undefined) return named;
  const strides = intsAttribute(node, "strides") ?? [];
  const dilations = intsAttribute(node, "dilations") ?? [];
  const pads = intsAttribute(node, "pads") ?? [];
  const outputPadding = intsAttribute(node, "output_padding") ?? [];
  const same = stringAttribute(node, "auto_pad", "NOTSET").startsWith("SAME");
  return sizes.map((size, i) => {
    const stride = strides[i] ?? 1;
    if (same) return size * stride;
    const extent = ((kernel[i] ?? 1) - 1) * (dilations[i] ?? 1) + 1;
    const padding = (pads[i] ?? 0) + (pads[i + kernel.length] ?? 0);
    return stride * (size - 1) + (outputPadding[i] ?? 0) + extent - padding;
  });
}

function withBias(y: RefTensor, bias: RefTensor | undefined): RefTensor {
  if (bias === undefined) return y;
  let i = 0;
  return tabulate(y.dims, ([, channel = 0]) => (y.data[i++] ?? Number.NaN) + (bias.data[channel] ?? Number.NaN));
}
