/**
 * @file Operators that stay in the blocked layout: what they become where their images are, or are worth being, in blocks.
 *
 * Convolutions bring the layout in, everything else follows its inputs; what has no form here gets them in plain order.
 */

import { plannedWindows, stepAttributes } from "../../autodiff/windows.js";
import { elementCount, sameDims } from "../../core/tensor.js";
import { float, type GraphBuilder } from "../../onnx/builder.js";
import { floatAttribute, intAttribute, type Node, operatorName } from "../../onnx/graph.js";
import {
  blockedConv,
  blockedKernel,
  blockedOp,
  channelMean,
  channelMeanOfProducts,
  convolved,
  ones,
  perChannel,
} from "./blocked.js";
import { maxPool, maxPoolGrad } from "./blocked-pooling.js";
import { greyConvolution } from "./grey.js";
import type { Layouts } from "./layouts.js";

export interface FormContext {
  readonly node: Node;
  readonly b: GraphBuilder;
  readonly layouts: Layouts;
  /** Channels of a block. */
  readonly block: number;
  /** Static dimensions of a value, where the graph says them. */
  dims(value: string): readonly number[] | undefined;
  /** The numbers of a value, where it is an initialiser of integers. */
  integers(value: string): readonly number[] | undefined;
  /** The only node that reads a value that is no output of the graph; undefined where there are several or none. */
  soleReader(value: string): Node | undefined;
}

/** Appends the node in blocks and says so to the layouts; false, and nothing, where it is to be as it was. */
type BlockedForm = (context: FormContext) => boolean;

/** Appends `context.node` in blocks, if there is a form for it; returns whether it did. */
export function appendBlocked(context: FormContext): boolean {
  return forms[operatorName(context.node)]?.(context) ?? false;
}

const forms: Readonly<Record<string, BlockedForm>> = {
  Conv: (context) => greyConvolution(context) || convolution(context),
  BatchNormalization: batchNormalization,
  Add: (context) => residual(context) || elementwise(context),
  Sub: elementwise,
  Mul: elementwise,
  Relu: elementwise,
  LeakyRelu: elementwise,
  Clip: elementwise,
  Sigmoid: elementwise,
  Tanh: elementwise,
  Elu: elementwise,
  HardSwish: elementwise,
  HardSigmoid: elementwise,
  Neg: elementwise,

  GlobalAveragePool({ node, b, layouts }) {
    const [x = ""] = node.inputs;
    if (layouts.dims(x) === undefined) return false;
    // One cell a channel: in blocks or not, it lies the same way.
    layouts.name(node.outputs[0] ?? "", blockedOp(b, "GlobalAveragePool", [layouts.blocked(x, [])], {}));
    return true;
  },

  MaxPool: maxPool,
  "wildmark.MaxPoolGrad": maxPoolGrad,

  /** Over images and positions: the gradient of a bias. */
  ReduceSum({ node, b, layouts, integers }) {
    const [x = "", axes = ""] = node.inputs;
    const place = layouts.place(x);
    const perChannelSum = integers(axes)?.join() === "0,2,3" && intAttribute(node, "keepdims", 1) === 0;
    if (place === undefined || !perChannelSum) return false;
    const means = blockedOp(b, "GlobalAveragePool", [layouts.at(x, place)], {});
    const others = place.lanes === "channels" ? [0, 2, 3] : [1, 2, 3];
    const sum = b.op("ReduceSum", [means, b.ints(others)], { keepdims: 0 });
    layouts.name(node.outputs[0] ?? "", b.op("Mul", [sum, b.scalar(elementCount(place.dims.slice(2)))]));
    return true;
  },

  "wildmark.ReluGrad"({ node, b, layouts }) {
    const [dy = "", y = "", dx = ""] = [...node.inputs, ...node.outputs];
    const place = layouts.place(y);
    if (place === undefined) return false;
    layouts.give(dx, gated(b, layouts.at(dy, place), layouts.at(y, place)), place.dims, place.lanes);
    return true;
  },

  "wildmark.ChannelMean"({ node, b, layouts }) {
    const dims = node.inputs.map((value) => layouts.dims(value)).find((found) => found !== undefined);
    if (dims === undefined) return false;
    const [x = "", y] = node.inputs.map((value) => layouts.blocked(value, dims));
    layouts.name(node.outputs[0] ?? "", meanOf(b, layouts, dims, x, y));
    return true;
  },

  "wildmark.ChannelCenter"({ node, b, layouts }) {
    const [x = "", mean = "", centered = ""] = [...node.inputs, ...node.outputs];
    const dims = layouts.dims(x);
    if (dims === undefined) return false;
    layouts.give(centered, centeredBy(b, layouts, layouts.blocked(x, dims), layouts.plain(mean), dims), dims);
    return true;
  },

  "wildmark.ChannelAffine"({ node, b, layouts }) {
    const [x = "", scale = "", shift = "", addend = ""] = node.inputs;
    const dims = layouts.dims(x);
    if (dims === undefined) return false;
    const form = {
      scale: layouts.plain(scale),
      shift: layouts.plain(shift),
      addend: addend === "" ? "" : layouts.blocked(addend, dims),
    };
    layouts.give(node.outputs[0] ?? "", perChannel(b, layouts.blocked(x, dims), dims[1] ?? 1, form), dims);
    return true;
  },
};

/** dy where y > 0, else 0: ONNX Runtime's `Where` takes nine times as long as a `HardSigmoid` as steep as float32 allows. */
export function gated(b: GraphBuilder, dy: string, y: string): string {
  // The smallest normal number times 3.4e38 is 4, so the gate is 1 for every positive y that is not denormal.
  return b.op("Mul", [dy, b.op("HardSigmoid", [y], { alpha: float(3.4e38), beta: float(0) })]);
}

function convolution({ node, b, layouts, block, dims }: FormContext): boolean {
  const [x = "", w = "", bias = ""] = node.inputs;
  const [xDims, wDims] = [layouts.place(x)?.dims ?? dims(x), dims(w)];
  if (xDims?.length !== 4 || wDims === undefined) return false;
  const [outputs = 1, inputs = 1, ...kernel] = wDims;
  const axes = plannedWindows(node, xDims, kernel);
  // Few channels are read in plain order, as of a photograph: only the result is in blocks.
  const few = inputs < block;
  const fits = outputs % block === 0 && (few || inputs % block === 0) && intAttribute(node, "group", 1) === 1;
  if (axes === undefined || !fits) return false;
  // Kernels of one cell are plain matrix products, which reordering would cost more than it saves.
  if (elementCount(kernel) === 1 && layouts.dims(x) === undefined) return false;
  const { strides = [], pads = [], dilations = [] } = stepAttributes(axes);
  const image = few ? layouts.plain(x) : layouts.blocked(x, xDims);
  const blockedW = blockedKernel(b, layouts.plain(w), wDims, block);
  const plain = !few && bias === "" && [...strides, ...dilations].every((step) => step === 1);
  const y = plain
    ? convolved(b, image, blockedW, { dims: xDims, outputs, size: kernel, pads, block })
    : blockedConv(b, [image, blockedW, ...(bias === "" ? [] : [layouts.plain(bias)])], {
        kernel,
        strides,
        pads,
        dilations,
      });
  layouts.give(node.outputs[0] ?? "", y, [xDims[0] ?? 1, outputs, ...axes.map((axis) => axis.output)]);
  return true;
}

/**
 * Scale and shift by batch or running statistics. While training, x is centred first, and the variance is the mean of the
 * squares of that: exact where the mean is many standard deviations, and what the gradient needs as well.
 */
function batchNormalization(context: FormContext): boolean {
  const { node, b, layouts } = context;
  const [x = "", ...parameters] = node.inputs;
  const [scale = "", bias = "", runningMean = "", runningVariance = ""] = parameters.map(layouts.plain);
  const [, updatedMean = "", updatedVariance = ""] = node.outputs;
  const dims = layouts.dims(x);
  if (dims === undefined) return false;
  const training = intAttribute(node, "training_mode", 0) === 1;
  const epsilon = b.scalar(floatAttribute(node, "epsilon", 1e-5));
  const inverse = (variance: string): string => b.op("Reciprocal", [b.op("Sqrt", [b.op("Add", [variance, epsilon])])]);
  if (!training) {
    const a = b.op("Mul", [scale, inverse(runningVariance)]);
    const shift = b.op("Sub", [bias, b.op("Mul", [a, runningMean])]);
    giveActivated(context, layouts.blocked(x, dims), { scale: a, shift }, dims);
    return true;
  }
  const mean = meanOf(b, layouts, dims, layouts.blocked(x, dims));
  const centered = centeredBy(b, layouts, layouts.blocked(x, dims), mean, dims);
  const variance = meanOf(b, layouts, dims, centered, centered);
  const momentum = floatAttribute(node, "momentum", 0.9);
  const updated = (old: string, value: string): string =>
    b.op("Add", [b.op("Mul", [old, b.scalar(momentum)]), b.op("Mul", [value, b.scalar(1 - momentum)])]);
  if (updatedMean !== "") layouts.name(updatedMean, updated(runningMean, mean));
  if (updatedVariance !== "") layouts.name(updatedVariance, updated(runningVariance, variance));
  giveActivated(context, centered, { scale: b.op("Mul", [scale, inverse(variance)]), shift: bias }, dims);
  return true;
}

/** scale · x + shift for the node's output, and the Relu that alone reads it in the same pass. */
function giveActivated(
  { node, b, layouts, soleReader }: FormContext,
  x: string,
  form: { readonly scale: string; readonly shift: string },
  dims: readonly number[],
): void {
  const [output = ""] = node.outputs;
  const relu = soleReader(output);
  const [, channels = 1] = dims;
  if (relu?.opType === "Relu") {
    layouts.give(relu.outputs[0] ?? "", perChannel(b, x, channels, { ...form, activation: "Relu" }), dims);
  } else {
    layouts.give(output, perChannel(b, x, channels, form), dims);
  }
}

/** Mean of x or x · y: the forward and the backward pass want some of them both. */
function meanOf(b: GraphBuilder, layouts: Layouts, dims: readonly number[], x: string, y?: string): string {
  return layouts.once(`mean ${x} ${y}`, () =>
    y === undefined ? channelMean(b, x, dims) : channelMeanOfProducts(b, x, y, dims),
  );
}

/** x − mean, which both passes want too. */
function centeredBy(b: GraphBuilder, layouts: Layouts, x: string, mean: string, dims: readonly number[]): string {
  const [, channels = 1] = dims;
  return layouts.once(`center ${x} ${mean}`, () =>
    perChannel(b, x, channels, { scale: onesFor(b, layouts, channels), shift: b.op("Neg", [mean]) }),
  );
}

function onesFor(b: GraphBuilder, layouts: Layouts, channels: number): string {
  return layouts.once(`ones ${channels}`, () => ones(b, channels));
}

/** Relu(p + q) in one pass, where nothing else reads p, so that the sum can take its place. */
function residual({ node, b, layouts, soleReader }: FormContext): boolean {
  const [left = "", right = ""] = node.inputs;
  const [output = ""] = node.outputs;
  const relu = soleReader(output);
  const dims = layouts.dims(left);
  const passing = [left, right].find((value) => soleReader(value) === node);
  if (dims === undefined || !sameShape(dims, layouts.dims(right)) || relu?.opType !== "Relu") return false;
  if (passing === undefined || left === right) return false;
  const [, channels = 1] = dims;
  const other = passing === left ? right : left;
  const sum = perChannel(b, layouts.blocked(other, dims), channels, {
    scale: onesFor(b, layouts, channels),
    addend: layouts.blocked(passing, dims),
    activation: "Relu",
  });
  layouts.give(relu.outputs[0] ?? "", sum, dims);
  return true;
}

/** The same operator on the blocks: all inputs are images that lie alike, or single numbers. */
function elementwise({ node, b, layouts, dims }: FormContext): boolean {
  const place = node.inputs.map(layouts.place).find((found) => found !== undefined);
  if (place === undefined) return false;
  const single = (value: string): boolean => value === "" || elementCount(dims(value) ?? [2]) === 1;
  const alike = (value: string): boolean => {
    const found = layouts.place(value);
    return found?.lanes === place.lanes && sameDims(found.dims, place.dims);
  };
  if (!node.inputs.every((value) => alike(value) || single(value))) return false;
  const inputs = node.inputs.map((value) => (single(value) ? layouts.plain(value) : layouts.at(value, place)));
  const [output = ""] = node.outputs;
  layouts.give(output, b.op(node.opType, inputs, node.attributes), place.dims, place.lanes);
  return true;
}

/** Whether there are dimensions, and the same ones. */
function sameShape(left: readonly number[], right: readonly number[] | undefined): boolean {
  return right !== undefined && sameDims(left, right);
}
