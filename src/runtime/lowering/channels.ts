/**
 * @file ChannelMean, ChannelCenter and ChannelAffine: what normalisation does with one number a channel.
 */

import { elementCount } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { intsAttribute, type Node } from "../../onnx/graph.js";
import { channelMean as meanOfChannels, channelMeanOfProducts, ones, perChannel } from "./nchwc.js";
import { always, channelKernel, channelsOf, type Emission, plainKernel, type Rewrite } from "./rewrite.js";

export const channelMean: Rewrite = {
  operator: "wildmark.ChannelMean",
  inBlocks: [
    {
      name: "nchwc",
      match({ node, channelBlocks }) {
        const dims = node.inputs.map(channelBlocks).find((found) => found !== undefined);
        return (
          dims && {
            reads: node.inputs.map(() => channelsOf(dims)),
            append(emission) {
              const [x = "", y] = node.inputs.map((_, i) => emission.input(i));
              return meanInBlocks(emission, dims, x, y);
            },
          }
        );
      },
    },
  ],
  kernels: [
    plainKernel("plain", always, ({ b, input, once }, { node }) =>
      // Where the forward pass is decomposed, gradients ask for its means again.
      once(`mean of ${node.inputs.map((_, i) => input(i)).join(" · ")}`, () => {
        const dims = shapeOf(node);
        const [, channels = 1] = dims;
        const square = node.inputs.length > 1 && input(0) === input(1);
        const value = node.inputs.length > 1 && !square ? b.op("Mul", [input(0), input(1)]) : input(0);
        return b.op("Mul", [sumOf(b, value, dims, square), b.scalar(channels / elementCount(dims))]);
      }),
    ),
  ],
};

export const channelCenter: Rewrite = {
  operator: "wildmark.ChannelCenter",
  inBlocks: [
    channelKernel((dims) => ({
      reads: [channelsOf(dims)],
      gives: channelsOf(dims),
      append: (emission) => centeredInBlocks(emission, dims, emission.input(0), emission.input(1)),
    })),
  ],
  kernels: [
    plainKernel("plain", always, ({ b, input, once }, { node }) =>
      once(`${input(0)} around ${input(1)}`, () => b.op("Sub", [input(0), spread(b, input(1), shapeOf(node))])),
    ),
  ],
};

export const channelAffine: Rewrite = {
  operator: "wildmark.ChannelAffine",
  inBlocks: [
    channelKernel((dims) => ({
      reads: [channelsOf(dims), undefined, undefined, channelsOf(dims)],
      gives: channelsOf(dims),
      append({ b, input }) {
        const form = { scale: input(1), shift: input(2), addend: input(3) };
        return perChannel(b, input(0), dims[1] ?? 1, form);
      },
    })),
  ],
  kernels: [
    plainKernel("plain", always, ({ b, input }, { node }) => {
      const dims = shapeOf(node);
      const scaled = b.op("Mul", [input(0), spread(b, input(1), dims)]);
      const shifted = input(2) === "" ? scaled : b.op("Add", [scaled, spread(b, input(2), dims)]);
      return input(3) === "" ? shifted : b.op("Add", [shifted, input(3)]);
    }),
  ],
};

/** Mean of x or x · y, both in blocks: the forward and the backward pass want some of them both. */
export function meanInBlocks({ b, once }: Emission, dims: readonly number[], x: string, y?: string): string {
  return once(`mean ${x} ${y}`, () =>
    y === undefined ? meanOfChannels(b, x, dims) : channelMeanOfProducts(b, x, y, dims),
  );
}

/** x − mean in blocks, which both passes want too. */
export function centeredInBlocks(emission: Emission, dims: readonly number[], x: string, mean: string): string {
  const { b, once } = emission;
  const [, channels = 1] = dims;
  return once(`center ${x} ${mean}`, () =>
    perChannel(b, x, channels, { scale: onesFor(emission, channels), shift: b.op("Neg", [mean]) }),
  );
}

/** One constant for all that scale by ones. */
export function onesFor({ b, once }: Emission, channels: number): string {
  return once(`ones ${channels}`, () => ones(b, channels));
}

/** Sum over positions first, then images: half the time of both at once, and squares round to 1e-7, not 1e-5. */
function sumOf(b: GraphBuilder, value: string, [, , ...spatial]: readonly number[], square: boolean): string {
  const operator = square ? "ReduceSumSquare" : "ReduceSum";
  if (spatial.length === 0) return b.op(operator, [value, b.ints([0])], { keepdims: 0 });
  const perImage = b.op(operator, [value, b.ints(spatial.map((_, i) => i + 2))], { keepdims: 0 });
  return b.op("ReduceSum", [perImage, b.ints([0])], { keepdims: 0 });
}

/** [C] → [1, C, 1, …] */
function spread(b: GraphBuilder, value: string, [, channels = 1, ...spatial]: readonly number[]): string {
  return b.op("Reshape", [value, b.ints([1, channels, ...spatial.map(() => 1)])]);
}

function shapeOf(node: Node): readonly number[] {
  return intsAttribute(node, "shape") ?? [];
}
