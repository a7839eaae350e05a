/** @file Batch normalisation and the softmaxes. */

import { floatAttribute, intAttribute } from "../../../onnx/graph.js";
import { at, forEachIndex, type Kernel, type Kernels, positiveAxis, type RefTensor, tabulate } from "./kernel.js";

export const normalizationKernels: Kernels = {
  /** Outputs y and, in training, the running statistics: momentum · old + (1 − momentum) · the batch's. */
  BatchNormalization: ({ node, input }) => {
    const [x, scale, bias] = [input(0), input(1), input(2)];
    const training = intAttribute(node, "training_mode", 0) === 1;
    const epsilon = floatAttribute(node, "epsilon", 1e-5);
    const momentum = floatAttribute(node, "momentum", 0.9);
    const batchMean = perChannel(x, (value) => value);
    const batchVariance = perChannel(x, (value, channel) => (value - at(batchMean, [channel])) ** 2);
    const [mean, variance] = training ? [batchMean, batchVariance] : [input(3), input(4)];
    const y = tabulate(x.dims, (index) => {
      const channel = [index[1] ?? 0];
      const normal = (at(x, index) - at(mean, channel)) / Math.sqrt(at(variance, channel) + epsilon);
      return normal * at(scale, channel) + at(bias, channel);
    });
    if (!training) return [y];
    const running = (old: RefTensor, now: RefTensor): RefTensor =>
      tabulate(old.dims, (index) => momentum * at(old, index) + (1 - momentum) * at(now, index));
    return [y, running(input(3), batchMean), running(input(4), batchVariance)];
  },
  Softmax: softmax((exponential, sum) => exponential / sum),
  LogSoftmax: softmax((exponential, sum) => Math.log(exponential / sum)),
};

/** The mean of f over images and positions. */
function perChannel(x: RefTensor, f: (value: number, channel: number) => number): RefTensor {
  const channels = x.dims[1] ?? 1;
  const data = new Float64Array(channels);
  forEachIndex(x.dims, (index) => {
    const channel = index[1] ?? 0;
    data[channel] = (data[channel] ?? 0) + (f(at(x, index), channel) * channels) / x.data.length;
  });
  return { dims: [channels], data };
}

/**
 * Along one axis, as operator set 13 has it; without the usual shift by the maximum, which float64 does not need here.
 */
function softmax(finish: (exponential: number, sum: number) => number): Kernel {
  return ({ node, input }) => {
    const x = input(0);
    const axis = positiveAxis(intAttribute(node, "axis", -1), x.dims.length);
    const sums = tabulate(x.dims.with(axis, 1), (index) => {
      let sum = 0;
      for (let i = 0; i < (x.dims[axis] ?? 1); i++) sum += Math.exp(at(x, index.with(axis, i)));
      return sum;
    });
    return [tabulate(x.dims, (index) => finish(Math.exp(at(x, index)), at(sums, index)))];
  };
}
