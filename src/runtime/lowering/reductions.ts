/**
 * @file Sums and means over the positions of images in blocks: of a classifier's head, and of the gradients of biases.
 */

import { elementCount } from "../../core/tensor.js";
import { intAttribute } from "../../onnx/graph.js";
import { nchwcOp } from "./nchwc.js";
import { channelKernel, channelsOf, type Rewrite } from "./rewrite.js";

export const globalAveragePool: Rewrite = {
  operator: "GlobalAveragePool",
  inBlocks: [
    channelKernel((dims) => ({
      reads: [channelsOf(dims)],
      // One cell a channel: in blocks or not, it lies the same way.
      append: ({ b, input }) => nchwcOp(b, "GlobalAveragePool", [input(0)], {}),
    })),
  ],
};

/** Over images and positions: the gradient of a bias. */
export const reduceSum: Rewrite = {
  operator: "ReduceSum",
  inBlocks: [
    {
      name: "nchwc",
      match({ node, place, integers }) {
        const [x = "", axes = ""] = node.inputs;
        const lying = place(x);
        const perChannelSum = integers(axes)?.join() === "0,2,3" && intAttribute(node, "keepdims", 1) === 0;
        if (lying === undefined || !perChannelSum) return undefined;
        const { dims, lanes } = lying;
        return {
          reads: [lying],
          append({ b, input }) {
            const means = nchwcOp(b, "GlobalAveragePool", [input(0)], {});
            const sum = b.op("ReduceSum", [means, b.ints(lanes === "channels" ? [0, 2, 3] : [1, 2, 3])], {
              keepdims: 0,
            });
            return b.op("Mul", [sum, b.scalar(elementCount(dims.slice(2)))]);
          },
        };
      },
    },
  ],
};
