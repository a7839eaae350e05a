/**
 * @file A small convolutional network without normalisation: two stages of two 3×3 convolutions with w and 2w channels,
 * each followed by 2×2 maximum pooling, then dense layers of 8w units and one a class (the shape of Keras's CIFAR-10
 * example, less wide at the end).
 */

import type { RandomStream } from "../core/random.js";
import type { Graph } from "../onnx/graph.js";
import type { ArchitectureFamily, ArchitectureInput } from "./architecture.js";
import { finishClassifier, startClassifier } from "./classifier.js";
import { conv2d, dense, type LayerContext, maxPool2, relu } from "./layers.js";

export const cnn: ArchitectureFamily = {
  id: "cnn",
  title: (width) => `small CNN (${width}-${width}-${2 * width}-${2 * width}-${8 * width})`,
  width: 32,
  smallest: 4,
  build,
};

function build(name: string, width: number, input: ArchitectureInput, random: RandomStream): Graph {
  const started = startClassifier(name, input, random);
  const context: LayerContext = { ...started.context, init: "he" };

  let x = started.image;
  let inputs = input.channels;
  for (const [i, outputs] of [width, width, 2 * width, 2 * width].entries()) {
    x = relu(context, conv2d(context, `conv${i + 1}`, x, { inputs, outputs, kernel: 3, padding: 1 }));
    if (i % 2 === 1) x = maxPool2(context, x);
    inputs = outputs;
  }
  const cells = Math.floor(input.height / 4) * Math.floor(input.width / 4);
  const flat = context.b.op("Flatten", [x], { axis: 1 });
  const hidden = relu(context, dense(context, "fc1", flat, inputs * cells, 8 * width));
  return finishClassifier(context, dense(context, "fc2", hidden, 8 * width, input.classes), input);
}
