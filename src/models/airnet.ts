/**
 * @file The network that learns CIFAR-10 in the fewest operations known (Jordan: "94% on CIFAR-10 in 3.29 Seconds on a
 * Single GPU", arXiv:2404.00498; with Muon as in airbench94_muon): a first layer of 2×2 kernels that whitens patches
 * and stays as it is, three groups of two 3×3 convolutions with w, 4w and 4w channels, the first of each followed by
 * 2×2 maximum pooling, then the largest of each channel and one dense layer without bias, whose scores are divided by
 * its inputs' number.
 *
 * Normalisations have a shift and no scale that trains; kernels start as the identity where there are enough of them.
 */

import type { RandomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import { float } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import type { ArchitectureFamily, ArchitectureInput } from "./architecture.js";
import { finishClassifier, startClassifier } from "./classifier.js";
import { conv2d, type LayerContext, maxPool2 } from "./layers.js";
import { whitening } from "./whitening.js";

export const airnet: ArchitectureFamily = {
  id: "airnet",
  title: (width) => `airbench's network (whitening-${width}-${4 * width}-${4 * width})`,
  width: 64,
  smallest: 9,
  build,
  fromImages: { count: 5000, weights: whitened },
};

/** Side of the first layer's kernels. */
const PATCH = 2;

function build(name: string, width: number, input: ArchitectureInput, random: RandomStream): Graph {
  const { context, image } = startClassifier(name, input, random);
  const { b } = context;
  const filters = 2 * input.channels * PATCH * PATCH;
  const stem = { inputs: input.channels, outputs: filters, kernel: PATCH };
  let x = b.op("Gelu", [conv2d(context, "whiten", image, stem)]);
  let inputs = filters;
  for (const [i, outputs] of [width, 4 * width, 4 * width].entries()) {
    const group = `layers.${i + 1}`;
    x = maxPool2(context, convolution(context, `${group}.conv1`, x, inputs, outputs));
    x = b.op("Gelu", [shifted(context, `${group}.norm1`, x, outputs)]);
    x = convolution(context, `${group}.conv2`, x, outputs, outputs);
    x = b.op("Gelu", [shifted(context, `${group}.norm2`, x, outputs)]);
    inputs = outputs;
  }
  const features = b.op("Flatten", [b.op("GlobalMaxPool", [x])], { axis: 1 });
  return finishClassifier(context, head(context, features, inputs, input.classes), input);
}

/** The first layer as its patches of these images want it: it sees pixels as normalised by their mean and deviation. */
function whitened(drawn: ReadonlyMap<string, Tensor>, pixels: Float32Array, input: ArchitectureInput) {
  const { channels, height, width } = input;
  const count = pixels.length / (channels * height * width);
  const { kernels, shift } = whitening({ pixels, dims: [count, channels, height, width] }, PATCH);
  const bias = shift.data.map((value, i) => value + Number(drawn.get("whiten.bias")?.data[i] ?? 0));
  return new Map([
    ["whiten.weight", kernels],
    ["whiten.bias", float32(shift.dims, bias)],
  ]);
}

/** 3×3 without bias; the first filters each pass one channel on as it is, further ones are drawn as PyTorch does. */
function convolution({ b, random }: LayerContext, name: string, x: string, inputs: number, outputs: number): string {
  const dims = [outputs, inputs, 3, 3];
  const stream = random.stream(name);
  const bound = 1 / Math.sqrt(9 * inputs);
  const values = Float32Array.from({ length: elementCount(dims) }, () => (2 * stream.uniform() - 1) * bound);
  for (let filter = 0; filter < Math.min(inputs, outputs); filter++) {
    const start = filter * inputs * 9;
    values.fill(0, start, start + inputs * 9);
    values[start + filter * 9 + 4] = 1;
  }
  const weight = b.initializer(`${name}.weight`, float32(dims, values));
  return b.op("Conv", [x, weight], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] }, { name });
}

/** Batch normalisation whose statistics follow the batches closely: 0.6 of them stays in a step. */
function shifted({ b }: LayerContext, name: string, x: string, channels: number): string {
  const constant = (part: string, value: number): string => b.initializer(`${name}.${part}`, filled([channels], value));
  const parts = [constant("weight", 1), constant("bias", 0), constant("running_mean", 0), constant("running_var", 1)];
  return b.op("BatchNormalization", [x, ...parts], { epsilon: float(1e-12), momentum: float(0.6) }, { name });
}

/** Scores y = x Wᵀ / inputs; W is drawn uniform with variance 1. */
function head({ b, random }: LayerContext, x: string, inputs: number, outputs: number): string {
  const stream = random.stream("head");
  const dims = [outputs, inputs];
  const drawn = Float32Array.from({ length: elementCount(dims) }, () => (2 * stream.uniform() - 1) * Math.sqrt(3));
  const weight = b.initializer("head.weight", float32(dims, drawn));
  return b.op("Gemm", [x, weight], { transB: 1, alpha: float(1 / inputs) }, { name: "head" });
}

const filled = (dims: readonly number[], value: number): FloatTensor =>
  float32(dims, new Float32Array(elementCount(dims)).fill(value));
