/**
 * @file A small VGG (Simonyan & Zisserman, ICLR 2015) with batch normalisation: three stages of two 3×3 convolutions
 * with w, 2w and 4w channels, each followed by 2×2 maximum pooling, then the mean of each channel and one dense
 * layer.
 */

import type { RandomStream } from "../core/random.js";
import type { Graph } from "../onnx/graph.js";
import type { ArchitectureFamily, ArchitectureInput } from "./architecture.js";
import { finishClassifier, startClassifier } from "./classifier.js";
import { averageFeatures, convNorm, dense, maxPool2 } from "./layers.js";

export const vgg: ArchitectureFamily = {
  id: "vgg",
  title: (width) =>
    `small VGG with batch normalisation (${width}-${width}-${2 * width}-${2 * width}-${4 * width}-${4 * width})`,
  width: 64,
  smallest: 8,
  build,
};

function build(name: string, width: number, input: ArchitectureInput, random: RandomStream): Graph {
  const { context, image } = startClassifier(name, input, random);
  let x = image;
  let inputs = input.channels;
  for (const [stage, outputs] of [width, 2 * width, 4 * width].entries()) {
    for (const layer of [0, 1]) {
      // Numbered as in torchvision's `features`: convolution, normalisation and ReLU count one each, pooling one.
      const place = 7 * stage + 3 * layer;
      const names = { conv: `features.${place}`, norm: `features.${place + 1}` };
      x = convNorm(context, names, x, { inputs, outputs, kernel: 3, padding: 1 });
      inputs = outputs;
    }
    x = maxPool2(context, x);
  }
  return finishClassifier(
    context,
    dense(context, "classifier", averageFeatures(context, x), inputs, input.classes),
    input,
  );
}
