/**
 * @file Layers as graph fragments with freshly drawn weights.
 *
 * Initialisation is PyTorch's default for Conv2d and Linear, uniform in ±1/√fan_in for weights and biases, so that
 * published learning rates carry over.
 */

import type { RandomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import type { GraphBuilder } from "../onnx/builder.js";

/** A graph under construction and the random stream its weights come from. */
export interface LayerContext {
  readonly b: GraphBuilder;
  readonly random: RandomStream;
}

export interface ConvOptions {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly padding?: number;
  readonly stride?: number;
}

/** 2-D convolution with bias; weights `name.weight` [outputs, inputs, k, k] and `name.bias` [outputs]. */
export function conv2d({ b, random }: LayerContext, name: string, x: string, options: ConvOptions): string {
  const { inputs, outputs, kernel, padding = 0, stride = 1 } = options;
  const fanIn = inputs * kernel * kernel;
  const stream = random.stream(name);
  const weight = b.initializer(`${name}.weight`, drawn([outputs, inputs, kernel, kernel], fanIn, stream));
  const bias = b.initializer(`${name}.bias`, drawn([outputs], fanIn, stream));
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
  return b.op("Conv", [x, weight, bias], attributes, { name });
}

/** Dense layer y = x Wᵀ + b; weights `name.weight` [outputs, inputs] and `name.bias` [outputs]. */
export function dense({ b, random }: LayerContext, name: string, x: string, inputs: number, outputs: number): string {
  const stream = random.stream(name);
  const weight = b.initializer(`${name}.weight`, drawn([outputs, inputs], inputs, stream));
  const bias = b.initializer(`${name}.bias`, drawn([outputs], inputs, stream));
  return b.op("Gemm", [x, weight, bias], { transB: 1 }, { name });
}

export function relu({ b }: LayerContext, x: string): string {
  return b.op("Relu", [x]);
}

/** Non-overlapping 2×2 maximum. */
export function maxPool2({ b }: LayerContext, x: string): string {
  return b.op("MaxPool", [x], { kernel_shape: [2, 2], strides: [2, 2] });
}

function drawn(dims: readonly number[], fanIn: number, random: RandomStream): FloatTensor {
  const bound = 1 / Math.sqrt(fanIn);
  return float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, () => (2 * random.uniform() - 1) * bound),
  );
}
