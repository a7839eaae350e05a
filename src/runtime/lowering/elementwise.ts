/** @file Operators that compute each element by itself, on images in blocks: they follow their inputs. */

import { elementCount, sameDims } from "../../core/tensor.js";
import { onesFor } from "./channels.js";
import { perChannel } from "./nchwc.js";
import { channelsOf, type Kernel, type Replacement, type Rewrite, type Site } from "./rewrite.js";

/** The same operator on the blocks: all inputs are images that lie alike, or single numbers. */
function onBlocks({ node, place, dims }: Site): Replacement | undefined {
  const first = node.inputs.map(place).find((found) => found !== undefined);
  if (first === undefined) return undefined;
  const single = (value: string): boolean => value === "" || elementCount(dims(value) ?? [2]) === 1;
  const alike = (value: string): boolean => {
    const found = place(value);
    return found?.lanes === first.lanes && sameDims(found.dims, first.dims);
  };
  if (!node.inputs.every((value) => alike(value) || single(value))) return undefined;
  return {
    reads: node.inputs.map((value) => (single(value) ? undefined : first)),
    gives: first,
    append: ({ b, input }) =>
      b.op(
        node.opType,
        node.inputs.map((_, i) => input(i)),
        node.attributes,
      ),
  };
}

/** Relu(p + q) in one pass, where nothing else reads p, so that the sum can take its place. */
function residual({ node, channelBlocks, soleReader }: Site): Replacement | undefined {
  const [left = "", right = ""] = node.inputs;
  const relu = soleReader(node.outputs[0] ?? "");
  const [dims, others] = [channelBlocks(left), channelBlocks(right)];
  if (dims === undefined || others === undefined || !sameDims(dims, others)) return undefined;
  const passing = [left, right].findIndex((value) => soleReader(value) === node);
  if (relu?.opType !== "Relu" || passing < 0 || left === right) return undefined;
  return {
    reads: [channelsOf(dims), channelsOf(dims)],
    gives: channelsOf(dims),
    along: relu,
    append(emission) {
      const { b, input } = emission;
      const [, channels = 1] = dims;
      const form = { scale: onesFor(emission, channels), activation: "Relu" };
      return perChannel(b, input(1 - passing), channels, { ...form, addend: input(passing) });
    },
  };
}

const follow: Kernel = { name: "nchwc", match: onBlocks };
const add: Kernel = { name: "nchwc", match: (site) => residual(site) ?? onBlocks(site) };

const operators = [
  "Sub",
  "Mul",
  "Relu",
  "LeakyRelu",
  "Clip",
  "Sigmoid",
  "Tanh",
  "Elu",
  "HardSwish",
  "HardSigmoid",
  "Neg",
];

export const elementwise: readonly Rewrite[] = [
  { operator: "Add", inBlocks: [add] },
  ...operators.map((operator) => ({ operator, inBlocks: [follow] })),
];
