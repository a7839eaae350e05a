/** @file Normalisations of each image by itself, with and without weights. */

import { floatAttribute, intAttribute, intsAttribute } from "../../../onnx/graph.js";
import { at, forEachIndex, type Kernel, type Kernels, positiveAxis, type RefTensor, tabulate } from "./kernel.js";

export const imageNormalizationKernels: Kernels = {
  /** Outputs y and, with the normalised axes of size 1, the mean and the inverse standard deviation. */
  LayerNormalization: ({ node, input, optional }) => {
    const x = input(0);
    const axis = positiveAxis(intAttribute(node, "axis", -1), x.dims.length);
    const label = (index: readonly number[]): string => index.slice(0, axis).join();
    const { mean, inverse } = statistics(x, label, floatAttribute(node, "epsilon", 1e-5));
    const kept = x.dims.map((dim, i) => (i < axis ? dim : 1));
    return [
      tabulate(x.dims, (index) => {
        const normal = (at(x, index) - mean(index)) * inverse(index);
        const bias = optional(2);
        return normal * at(input(1), index) + (bias === undefined ? 0 : at(bias, index));
      }),
      tabulate(kept, mean),
      tabulate(kept, inverse),
    ];
  },
  RMSNormalization: ({ node, input }) => {
    const x = input(0);
    const axis = positiveAxis(intAttribute(node, "axis", -1), x.dims.length);
    const squares = averages(
      x,
      (index) => index.slice(0, axis).join(),
      (value) => value * value,
    );
    const epsilon = floatAttribute(node, "epsilon", 1e-5);
    return [tabulate(x.dims, (index) => (at(x, index) / Math.sqrt(squares(index) + epsilon)) * at(input(1), index))];
  },
  GroupNormalization: perChannel((channel, channels, groups) => Math.floor((channel * groups) / channels)),
  InstanceNormalization: perChannel((channel) => channel),

  MeanVarianceNormalization: ({ node, input }) => {
    const x = input(0);
    const axes = intsAttribute(node, "axes") ?? [0, 2, 3];
    const reduced = axes.map((axis) => positiveAxis(axis, x.dims.length));
    const label = (index: readonly number[]): string => index.filter((_, axis) => !reduced.includes(axis)).join();
    const { mean, inverse } = statistics(x, label, 0);
    return [tabulate(x.dims, (index) => (at(x, index) - mean(index)) * inverse(index))];
  },
  LpNormalization: ({ node, input }) => {
    const x = input(0);
    const axis = positiveAxis(intAttribute(node, "axis", -1), x.dims.length);
    const p = intAttribute(node, "p", 2);
    const label = (index: readonly number[]): string => index.with(axis, 0).join();
    const powers = averages(x, label, (value) => Math.abs(value) ** p);
    const size = x.dims[axis] ?? 1;
    return [
      tabulate(x.dims, (index) => {
        const length = (powers(index) * size) ** (1 / p);
        return length === 0 ? 0 : at(x, index) / length;
      }),
    ];
  },
  /** The sum runs over the channels from c − ⌊(size − 1)/2⌋ to c + ⌈(size − 1)/2⌉. */
  LRN: ({ node, input }) => {
    const x = input(0);
    const size = intAttribute(node, "size", 1);
    return [
      tabulate(x.dims, (index) => {
        const [, channel = 0] = index;
        const last = Math.min((x.dims[1] ?? 1) - 1, channel + Math.ceil((size - 1) / 2));
        let squares = 0;
        for (let c = Math.max(0, channel - Math.floor((size - 1) / 2)); c <= last; c++) {
          squares += at(x, index.with(1, c)) ** 2;
        }
        const share = floatAttribute(node, "alpha", 1e-4) / size;
        const base = floatAttribute(node, "bias", 1) + share * squares;
        return at(x, index) / base ** floatAttribute(node, "beta", 0.75);
      }),
    ];
  },
};

type Label = (index: readonly number[]) => string;
type At = (index: readonly number[]) => number;

/** The mean of f over all elements with the label of an index. */
function averages(x: RefTensor, label: Label, f: (value: number, index: readonly number[]) => number): At {
  const totals = new Map<string, { sum: number; count: number }>();
  forEachIndex(x.dims, (index) => {
    const total = totals.get(label(index)) ?? { sum: 0, count: 0 };
    totals.set(label(index), { sum: total.sum + f(at(x, index), index), count: total.count + 1 });
  });
  return (index) => {
    const total = totals.get(label(index));
    return total === undefined ? Number.NaN : total.sum / total.count;
  };
}

function statistics(x: RefTensor, label: Label, epsilon: number): { readonly mean: At; readonly inverse: At } {
  const mean = averages(x, label, (value) => value);
  const variance = averages(x, label, (value, index) => (value - mean(index)) ** 2);
  return { mean, inverse: (index) => 1 / Math.sqrt(variance(index) + epsilon) };
}

function perChannel(group: (channel: number, channels: number, groups: number) => number): Kernel {
  return ({ node, input }) => {
    const x = input(0);
    const [, channels = 1] = x.dims;
    const groups = intAttribute(node, "num_groups", 1);
    const label = ([image, channel = 0]: readonly number[]): string => `${image} ${group(channel, channels, groups)}`;
    const { mean, inverse } = statistics(x, label, floatAttribute(node, "epsilon", 1e-5));
    return [
      tabulate(x.dims, (index) => {
        const [, channel = 0] = index;
        return (at(x, index) - mean(index)) * inverse(index) * at(input(1), [channel]) + at(input(2), [channel]);
      }),
    ];
  };
}
