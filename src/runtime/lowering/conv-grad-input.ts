/**
 * @file ConvGradInput(dy, w): the gradient of a convolution to its input, which is also a forward ConvTranspose.
 *
 * dx[n, c, i] = Σ dy[n, m, o] · w[m, c, k] over all m, o, k with i = o·stride + k·dilation − begin.
 */

import {
  type ConvGeometry,
  convGeometry,
  extent,
  leftover,
  transposeAttributes,
  type WindowAxis,
} from "../../autodiff/windows.js";
import { elementCount, float32 } from "../../core/tensor.js";
import type { GraphBuilder } from "../../onnx/builder.js";
import { nchwcConv, convolved, exchangedKernel } from "./nchwc.js";
import { fewPositions, convGradInputByRows as rows } from "./conv-by-rows.js";
import { neighboursConvGradInput } from "./conv-grad-input-few.js";
import { always, channelsOf, type Emission, type Kernel, plainKernel, type Rewrite } from "./rewrite.js";
import { isWorthIt, winogradConvGradInput } from "./winograd.js";

/** A `ConvTranspose`: any stride, padding, dilation and group. */
const transposed = plainKernel("transposed", always, ({ b, input }, { node }) => {
  const { axes, group } = convGeometry(node);
  return b.op("ConvTranspose", [input(0), input(1)], { ...transposeAttributes(axes), group });
});

/** At stride 1, the `Conv` of dy with the kernel turned by 180° and its channel axes exchanged. */
const rotated = plainKernel(
  "rotated",
  ({ node }) => {
    const { axes } = convGeometry(node);
    return axes.every(({ stride }) => stride === 1) && rotatedPads(convGeometry(node)).every((pad) => pad >= 0);
  },
  ({ b, input }, { node }) => {
    const geometry = convGeometry(node);
    const { axes, wDims, group } = geometry;
    const [m = 1, c = 1, ...kernel] = wDims;
    const spatial = kernel.map((_, i) => i);
    const turned = kernel.some((size) => size > 1)
      ? b.op("Slice", [
          input(1),
          b.ints(kernel.map(() => -1)),
          b.ints(kernel.map((size) => -size - 1)),
          b.ints(spatial.map((i) => i + 2)),
          b.ints(kernel.map(() => -1)),
        ])
      : input(1);
    let exchanged: string;
    if (group === 1) {
      exchanged = b.op("Transpose", [turned], { perm: [1, 0, ...spatial.map((i) => i + 2)] });
    } else {
      const split = b.op("Reshape", [turned, b.ints([group, m / group, c, ...kernel])]);
      const swapped = b.op("Transpose", [split], { perm: [0, 2, 1, ...spatial.map((i) => i + 3)] });
      exchanged = b.op("Reshape", [swapped, b.ints([group * c, m / group, ...kernel])]);
    }
    return b.op("Conv", [input(0), exchanged], {
      pads: rotatedPads(geometry),
      dilations: axes.map((axis) => axis.dilation),
      group,
    });
  },
);

function rotatedPads({ axes }: ConvGeometry): number[] {
  return [
    ...axes.map((axis) => extent(axis) - 1 - axis.begin),
    ...axes.map((axis) => extent(axis) - 1 - axis.end + leftover(axis)),
  ];
}

/**
 * In blocks, one convolution for each phase: cells of x that are a stride apart see the same taps of the kernel, so
 * each phase is a convolution at stride 1 with some of the taps. At stride 1 there is one phase, with all of them.
 */
const nchwc: Kernel = {
  name: "nchwc",
  match({ node, device, block }) {
    const geometry = convGeometry(node);
    const { xDims, yDims, axes, group } = geometry;
    if (device !== "cpu" || block === undefined || group !== 1 || axes.length !== 2) return undefined;
    if ([xDims[1], yDims[1]].some((channels = 1) => channels % block !== 0)) return undefined;
    const phased = axes.every(
      (axis) =>
        (axis.dilation === 1 || axis.stride === 1) &&
        axis.input % axis.stride === 0 &&
        phasesOf(axis).every(({ begin, end }) => begin >= 0 && end >= 0),
    );
    if (!phased) return undefined;
    return {
      reads: [channelsOf(yDims)],
      gives: channelsOf(xDims),
      append: (emission) => phaseByPhase(emission, geometry, block),
    };
  },
};

function phaseByPhase({ b, input }: Emission, { xDims, yDims, wDims, axes }: ConvGeometry, block: number): string {
  const [n = 1, c = 1] = xDims;
  const [rows = [], columns = []] = axes.map(phasesOf);
  const [, width = 1] = axes.map((axis) => axis.kernel);
  const dilations = axes.map((axis) => axis.dilation);
  const dy = input(0);
  const kernelOf = exchangedKernel(b, input(1), wDims, block);
  /** [N, C, h, w] in blocks; undefined where no tap reaches the phase. */
  const cells = rows.map((row) =>
    columns.map((column) => {
      const shape = [row.taps.length, column.taps.length];
      if (elementCount(shape) === 0) return undefined;
      const chosen = row.taps.flatMap((i) => column.taps.map((j) => i * width + j));
      const pads = [row.begin, column.begin, row.end, column.end];
      const kernel = kernelOf(chosen, shape);
      if (dilations.some((dilation) => dilation > 1))
        return nchwcConv(b, [dy, kernel], { kernel: shape, pads, dilations });
      return convolved(b, dy, kernel, { dims: yDims, outputs: c, size: shape, pads, block });
    }),
  );
  const [height = 1, across = 1] = axes.map((axis) => axis.input / axis.stride);
  const line = (n * c * height) / block;
  return interleaved(b, cells, { line, across, block, dims: xDims });
}

interface Phase {
  /** Taps of the kernel that reach the cells of this phase, the last first. */
  readonly taps: readonly number[];
  /** Padding of dy. */
  readonly begin: number;
  readonly end: number;
}

/**
 * For each of the first `stride` cells of an axis: how it and those a whole number of strides further are convolved.
 */
function phasesOf(axis: WindowAxis): Phase[] {
  const { input, output, kernel, stride, dilation } = axis;
  return Array.from({ length: stride }, (_, first) => {
    const rest = (first + axis.begin) % stride;
    const taps = Array.from({ length: kernel }, (_, k) => k).filter((k) => k % stride === rest || stride === 1);
    const reach = Math.max(0, taps.length - 1) * dilation;
    const begin = reach - (first + axis.begin - rest) / stride;
    return { taps: taps.toReversed(), begin, end: input / stride + reach - output - begin };
  }).map((phase) => (phase.taps.length === 0 ? { ...phase, begin: 0, end: 0 } : phase));
}

/** The phases' cells in their places: images [N, C, h, w] in blocks side by side, zeros where there is none. */
function interleaved(
  b: GraphBuilder,
  cells: readonly (readonly (string | undefined)[])[],
  { line, across, block, dims }: { line: number; across: number; block: number; dims: readonly number[] },
): string {
  const [[only] = []] = cells;
  if (only !== undefined && cells.length === 1 && cells[0]?.length === 1) return only;
  const zeros = (shape: readonly number[]): string =>
    b.op("ConstantOfShape", [b.ints(shape)], { value: { kind: "tensor", value: float32([1], [0]) } });
  const rows = cells.map((row) => {
    const steps = row.length * block;
    if (row.every((cell) => cell === undefined)) return zeros([line, across * steps]);
    const parts = row.map((cell) =>
      cell === undefined ? zeros([line * across, block]) : b.op("Reshape", [cell, b.ints([line * across, block])]),
    );
    return b.op("Reshape", [b.op("Concat", parts, { axis: 1 }), b.ints([line, across * steps])]);
  });
  return b.op("Reshape", [b.op("Concat", rows, { axis: 1 }), b.ints(dims)]);
}

export const convGradInput: Rewrite = {
  operator: "wildmark.ConvGradInput",
  kernels: [transposed, rotated, nchwc, winogradConvGradInput, neighboursConvGradInput, rows],
  /**
   * `nchwc` where channels fill blocks, `neighbours` where those of dy do and x has few (LeNet's second layer, 128
   * images: 1 ms instead of 2.5), `rows` on a GPU where there are few of them. Of the others, `rotated` multiplies once
   * a cell of x, `transposed` once a window, and then has to add up: with padding, where both are about as many, the
   * former took 0.5 to 0.8 of the latter's time; for LeNet's 5×5 kernels without padding, 3 times.
   */
  choose({ node }, names) {
    const geometry = convGeometry(node);
    const { xDims, yDims } = geometry;
    if (names.includes(winogradConvGradInput.name) && isWorthIt(geometry)) return winogradConvGradInput.name;
    const found = [nchwc, neighboursConvGradInput].find(({ name }) => names.includes(name));
    if (found !== undefined) return found.name;
    if (names.includes(rows.name) && fewPositions(yDims)) return rows.name;
    const padded = elementCount(xDims.slice(2)) <= 1.3 * elementCount(yDims.slice(2));
    return padded && names.includes(rotated.name) ? rotated.name : transposed.name;
  },
};
