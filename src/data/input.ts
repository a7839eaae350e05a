/** @file Whether a model's input takes images of a shape as they lie in memory (NCHW). */

import { elementCount } from "../core/tensor.js";
import { guessLayout } from "../onnx/describe.js";
import type { ValueInfo } from "../onnx/graph.js";
import { type ImageShape, imageSize } from "./dataset.js";

/** Sizes that the file leaves open fit nothing: nobody could tell whether they do. */
export function takesImages({ dims }: ValueInfo, shape: ImageShape): boolean {
  const size = (dims ?? []).slice(1);
  if (!size.every((dim) => typeof dim === "number")) return false;
  const { channels, height, width } = shape;
  switch (guessLayout(dims)) {
    case "flat":
      return elementCount(size) === imageSize(shape);
    case "NHW":
      return channels === 1 && size[0] === height && size[1] === width;
    case "NHWC":
      // With one channel the pixels lie in the same order; images with more would have to be turned round.
      return channels === 1 && size[2] === 1 && size[0] === height && size[1] === width;
    default:
      return size.length === 3 && size[0] === channels && size[1] === height && size[2] === width;
  }
}
