/**
 * @file Layers as graph fragments with freshly drawn weights.
 *
 * Initialisation is PyTorch's default for Conv2d and Linear, uniform in ±1/√fan_in for weights and biases, so that
 * published learning rates carry over; `init: "he"` draws uniform in ±√(6/fan_in) with biases 0, without which a deeper
 * network that has no normalisation hardly begins to learn. Convolutions before batch normalisation have no bias and He
 * et al.'s normal weights (ICCV 2015, fan-out form), as torchvision draws them. Weights and nodes have the names they
 * have in PyTorch.
 */

import type { RandomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import { float, type GraphBuilder } from "../onnx/builder.js";

/** A graph under construction and the random stream its weights come from. */
export interface LayerContext {
  readonly b: GraphBuilder;
  readonly random: RandomStream;
  /** How `conv2d` and `dense` draw: as PyTorch by default, or as He et al. for layers followed by ReLU. */
  readonly init?: "torch" | "he";
}

export interface ConvOptions {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly padding?: number;
  readonly stride?: number;
}

/** 2-D convolution with bias; weights `name.weight` [outputs, inputs, k, k] and `name.bias` [outputs]. */
export function conv2d({ b, random, init }: LayerContext, name: string, x: string, options: ConvOptions): string {
  const { inputs, outputs, kernel, padding = 0, stride = 1 } = options;
  const fanIn = inputs * kernel * kernel;
  const stream = random.stream(name);
  const weight = b.initializer(
    `${name}.weight`,
    drawn([outputs, inputs, kernel, kernel], weightBound(init, fanIn), stream),
  );
  const bias = b.initializer(`${name}.bias`, drawn([outputs], biasBound(init, fanIn), stream));
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
  return b.op("Conv", [x, weight, bias], attributes, { name });
}

/**
 * 2-D convolution without bias, batch normalisation, and ReLU unless `activate` is false.
 *
 * Weights `conv.weight` [outputs, inputs, k, k], normal with variance 2 / (outputs · k²); `norm.weight` 1, `norm.bias`
 * 0, `norm.running_mean` 0, `norm.running_var` 1, all [outputs]. ε is 1e-5; running statistics keep 0.9 of themselves a
 * step.
 */
export function convNorm(
  context: LayerContext,
  names: { readonly conv: string; readonly norm: string },
  x: string,
  options: ConvOptions & { readonly activate?: boolean },
): string {
  const { b, random } = context;
  const { inputs, outputs, kernel, padding = 0, stride = 1, activate = true } = options;
  const dims = [outputs, inputs, kernel, kernel];
  const deviation = Math.sqrt(2 / (outputs * kernel * kernel));
  const stream = random.stream(names.conv);
  const normal = Float32Array.from({ length: elementCount(dims) }, () => stream.normal() * deviation);
  const weight = b.initializer(`${names.conv}.weight`, float32(dims, normal));
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
  const convolved = b.op("Conv", [x, weight], attributes, { name: names.conv });
  const constant = (part: string, value: number): string =>
    b.initializer(`${names.norm}.${part}`, float32([outputs], new Float32Array(outputs).fill(value)));
  const parts = [constant("weight", 1), constant("bias", 0), constant("running_mean", 0), constant("running_var", 1)];
  const normalised = b.op(
    "BatchNormalization",
    [convolved, ...parts],
    { epsilon: float(1e-5), momentum: float(0.9) },
    { name: names.norm },
  );
  return activate ? relu(context, normalised) : normalised;
}

/** Dense layer y = x Wᵀ + b; weights `name.weight` [outputs, inputs] and `name.bias` [outputs]. */
export function dense(
  { b, random, init }: LayerContext,
  name: string,
  x: string,
  inputs: number,
  outputs: number,
): string {
  const stream = random.stream(name);
  const weight = b.initializer(`${name}.weight`, drawn([outputs, inputs], weightBound(init, inputs), stream));
  const bias = b.initializer(`${name}.bias`, drawn([outputs], biasBound(init, inputs), stream));
  return b.op("Gemm", [x, weight, bias], { transB: 1 }, { name });
}

export function relu({ b }: LayerContext, x: string): string {
  return b.op("Relu", [x]);
}

/** Non-overlapping 2×2 maximum. */
export function maxPool2({ b }: LayerContext, x: string): string {
  return b.op("MaxPool", [x], { kernel_shape: [2, 2], strides: [2, 2] });
}

/** The mean of each channel, as a row of features: [batch, channels]. */
export function averageFeatures({ b }: LayerContext, x: string): string {
  return b.op("Flatten", [b.op("GlobalAveragePool", [x])], { axis: 1 });
}

type Init = LayerContext["init"];

const weightBound = (init: Init, fanIn: number): number => Math.sqrt((init === "he" ? 6 : 1) / fanIn);

const biasBound = (init: Init, fanIn: number): number => (init === "he" ? 0 : 1 / Math.sqrt(fanIn));

function drawn(dims: readonly number[], bound: number, random: RandomStream): FloatTensor {
  return float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, () => (2 * random.uniform() - 1) * bound),
  );
}
