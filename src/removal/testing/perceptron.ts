/** @file A perceptron on the tiny images, all of whose classes it learns within a dozen epochs. */

import { randomStream } from "../../core/random.js";
import { dense, type LayerContext, relu } from "../../models/layers.js";
import { graphBuilder } from "../../onnx/builder.js";
import { encodeGraph } from "../../onnx/encode.js";
import { decodeModel, type Model } from "../../onnx/model.js";

/** Units of its hidden layer `fc1`; `fc2` makes the scores of four classes. */
export const HIDDEN = 12;

/** On images of 1×8×8 pixels, with weights as drawn. */
export function perceptron(): Model {
  const b = graphBuilder("perceptron");
  const context: LayerContext = { b, random: randomStream(0, "init") };
  const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 8, 8])], { axis: 1 });
  const hidden = relu(context, dense(context, "fc1", x, 64, HIDDEN));
  b.output(dense(context, "fc2", hidden, HIDDEN, 4), "float32", ["batch", 4]);
  return decodeModel(encodeGraph(b.build()), "perceptron");
}
