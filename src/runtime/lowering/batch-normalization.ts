/** @file BatchNormalization of images in blocks, and the Relu that alone reads it. */

import { floatAttribute, intAttribute } from "../../onnx/graph.js";
import { centeredInBlocks, meanInBlocks } from "./channels.js";
import { perChannel } from "./nchwc.js";
import { channelKernel, channelsOf, type Rewrite } from "./rewrite.js";

/**
 * Scale and shift by batch or running statistics. While training, x is centred first, and the variance is the mean of
 * the squares of that: exact where the mean is many standard deviations, and what the gradient needs as well.
 */
const nchwc = channelKernel((dims, { node, soleReader }) => {
  const [, channels = 1] = dims;
  const reader = soleReader(node.outputs[0] ?? "");
  const relu = reader?.opType === "Relu" ? reader : undefined;
  const activation = relu === undefined ? {} : { activation: "Relu" };
  const training = intAttribute(node, "training_mode", 0) === 1;
  const momentum = floatAttribute(node, "momentum", 0.9);
  return {
    reads: [channelsOf(dims)],
    gives: channelsOf(dims),
    along: relu,
    append(emission) {
      const { b, input } = emission;
      const [scale, bias, runningMean, runningVariance] = [input(1), input(2), input(3), input(4)];
      const epsilon = b.scalar(floatAttribute(node, "epsilon", 1e-5));
      const inverse = (variance: string): string =>
        b.op("Reciprocal", [b.op("Sqrt", [b.op("Add", [variance, epsilon])])]);
      if (!training) {
        const a = b.op("Mul", [scale, inverse(runningVariance)]);
        const shift = b.op("Sub", [bias, b.op("Mul", [a, runningMean])]);
        return perChannel(b, input(0), channels, { scale: a, shift, ...activation });
      }
      const mean = meanInBlocks(emission, dims, input(0));
      const centered = centeredInBlocks(emission, dims, input(0), mean);
      const variance = meanInBlocks(emission, dims, centered, centered);
      const updated = (old: string, value: string): string =>
        b.op("Add", [b.op("Mul", [old, b.scalar(momentum)]), b.op("Mul", [value, b.scalar(1 - momentum)])]);
      const statistics = [
        [runningMean, mean],
        [runningVariance, variance],
      ].map(([old = "", value = ""], i) => ((node.outputs[i + 1] ?? "") === "" ? "" : updated(old, value)));
      const a = b.op("Mul", [scale, inverse(variance)]);
      return [perChannel(b, centered, channels, { scale: a, shift: bias, ...activation }), ...statistics];
    },
  };
});

export const batchNormalization: Rewrite = { operator: "BatchNormalization", inBlocks: [nchwc] };
