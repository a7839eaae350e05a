/**
 * @file Standard operators that another device than the CPU has not, or not quick enough, decomposed into others or
 * turned into primitives, which kernels compute.
 *
 * What a device lacks runs on the CPU otherwise, and data travels back and forth in each step; batch normalisation that
 * learns statistics does not run at all. CUDA's provider could not be tried here: it gets what WebGPU's is known to
 * take.
 */

import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { floatAttribute, intAttribute } from "../../onnx/graph.js";
import { convWithShapes } from "./conv.js";
import { type Kernel, onGpu, plainKernel, type Rewrite, type Site } from "./rewrite.js";

/** With the statistics of the batch, what remains is the inference form. Any rank. */
const batchNormalization = plainKernel("statistics", isLearning, ({ b, input }, { node, dims }) => {
  const [x, scale, bias, runningMean, runningVariance] = [input(0), input(1), input(2), input(3), input(4)];
  const [mean, variance] = statistics(b, x, dims(node.inputs[0] ?? ""));
  const { epsilon } = node.attributes;
  const y = b.op("BatchNormalization", [x, scale, bias, mean, variance], epsilon === undefined ? {} : { epsilon });
  const momentum = floatAttribute(node, "momentum", 0.9);
  const updated = (old: string, value: string): string => {
    if (momentum === 0) return value;
    return b.op("Add", [b.op("Mul", [old, b.scalar(momentum)]), b.op("Mul", [value, b.scalar(1 - momentum)])]);
  };
  return [y, updated(runningMean, mean), updated(runningVariance, variance)];
});

/** Mean and variance of each channel, as the primitives that its gradient asks for too, where there is one. */
function statistics(b: GraphBuilder, x: string, shape: readonly number[] | undefined): readonly [string, string] {
  if (shape !== undefined) {
    const primitive = (operator: string, ...inputs: readonly string[]): string =>
      b.op(operator, inputs, { shape }, { domain: WILDMARK_DOMAIN });
    const mean = primitive("ChannelMean", x);
    const centered = primitive("ChannelCenter", x, mean);
    return [mean, primitive("ChannelMean", centered, centered)];
  }
  const flat = b.op("Reshape", [x, b.ints([0, 0, -1])]);
  const mean = channelMean(b, flat);
  const centered = b.op("Sub", [flat, b.op("Reshape", [mean, b.ints([1, -1, 1])])]);
  return [mean, channelMean(b, b.op("Mul", [centered, centered]))];
}

/** [N, C, L] → [C]: all parts are equally large, so the mean of means is the mean. */
function channelMean(b: GraphBuilder, flat: string): string {
  const perImage = b.op("ReduceMean", [flat, b.ints([2])], { keepdims: 0 });
  return b.op("ReduceMean", [perImage, b.ints([0])], { keepdims: 0 });
}

/** The primitive, which knows its shapes. */
const conv: Kernel = {
  name: "primitive",
  match(site) {
    const primitive = onGpu(site) ? convWithShapes(site) : undefined;
    return (
      primitive && {
        append: ({ b, input }) => {
          const inputs = primitive.inputs.map((_, i) => input(i));
          return b.op("Conv", inputs, primitive.attributes, { domain: WILDMARK_DOMAIN });
        },
      }
    );
  },
};

/** x − max − log Σ exp(x − max) */
const logSoftmax = plainKernel("logarithm of sum", onGpu, ({ b, input }, { node }) => {
  const axis = b.ints([intAttribute(node, "axis", -1)]);
  const shifted = b.op("Sub", [input(0), b.op("ReduceMax", [input(0), axis])]);
  return b.op("Sub", [shifted, b.op("Log", [b.op("ReduceSum", [b.op("Exp", [shifted]), axis])])]);
});

function isLearning(site: Site): boolean {
  return onGpu(site) && intAttribute(site.node, "training_mode", 0) === 1;
}

export const decompositions: readonly Rewrite[] = [
  { operator: "BatchNormalization", kernels: [batchNormalization] },
  { operator: "Conv", kernels: [conv] },
  { operator: "LogSoftmax", kernels: [logSoftmax] },
];
