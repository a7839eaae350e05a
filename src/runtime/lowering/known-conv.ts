/** @file The shapes of a convolution where the graph says them, be it ONNX's Conv or the primitive. */

import { type ConvGeometry, plannedWindows } from "../../autodiff/windows.js";
import { intAttribute } from "../../onnx/graph.js";
import type { Site } from "./rewrite.js";

/** Undefined where an input's shape is not known, or windows are planned at run time (`auto_pad`). */
export function knownConv({ node, place, dims }: Pick<Site, "node" | "place" | "dims">): ConvGeometry | undefined {
  const [x = "", w = ""] = node.inputs;
  const [xDims, wDims] = [place(x)?.dims ?? dims(x), dims(w)];
  const axes = xDims && wDims && plannedWindows(node, xDims, wDims.slice(2));
  if (axes === undefined || xDims === undefined || wDims === undefined) return undefined;
  const yDims = [xDims[0] ?? 1, wDims[0] ?? 1, ...axes.map(({ output }) => output)];
  return { xDims, yDims, wDims, axes, group: intAttribute(node, "group", 1) };
}
