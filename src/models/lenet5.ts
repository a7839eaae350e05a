/**
 * @file LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998) as it is trained today: ReLU and maximum pooling, every map of
 * the second convolution seeing all of the first. `lenet-caffe` has the widths of Caffe's reference network, which
 * much of the watermarking literature calls LeNet-5 too.
 */

import type { RandomStream } from "../core/random.js";
import type { Graph } from "../onnx/graph.js";
import type { Architecture, ArchitectureInput } from "./architecture.js";
import { finishClassifier, startClassifier } from "./classifier.js";
import { conv2d, dense, maxPool2, relu } from "./layers.js";

interface Widths {
  readonly filters: readonly [number, number];
  readonly padding: number;
  readonly hidden: readonly number[];
}

export const lenet5: Architecture = {
  id: "lenet5",
  title: "LeNet-5 (6-16-120-84)",
  smallest: 12,
  build: (input, random) => build("lenet5", { filters: [6, 16], padding: 2, hidden: [120, 84] }, input, random),
};

export const lenetCaffe: Architecture = {
  id: "lenet-caffe",
  title: "LeNet (20-50-500)",
  smallest: 16,
  build: (input, random) => build("lenet-caffe", { filters: [20, 50], padding: 0, hidden: [500] }, input, random),
};

function build(name: string, widths: Widths, input: ArchitectureInput, random: RandomStream): Graph {
  const { channels, height, width } = input;
  const { context, image } = startClassifier(name, input, random);
  const [first, second] = widths.filters;
  const after = (size: number): number => Math.floor((Math.floor((size + 2 * widths.padding - 4) / 2) - 4) / 2);

  let x = conv2d(context, "conv1", image, { inputs: channels, outputs: first, kernel: 5, padding: widths.padding });
  x = maxPool2(context, relu(context, x));
  x = conv2d(context, "conv2", x, { inputs: first, outputs: second, kernel: 5 });
  x = maxPool2(context, relu(context, x));
  x = context.b.op("Flatten", [x], { axis: 1 });
  let size = second * after(height) * after(width);
  widths.hidden.forEach((hidden, i) => {
    x = relu(context, dense(context, `fc${i + 1}`, x, size, hidden));
    size = hidden;
  });
  x = dense(context, `fc${widths.hidden.length + 1}`, x, size, input.classes);
  return finishClassifier(context, x, input);
}
