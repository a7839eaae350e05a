/**
 * @file Weight quantisation: a cheap check of what rounding, as for a smaller file, does to a mark. No data are needed.
 *
 * Uniform and symmetric, one step size s for each tensor or for each output unit (Krishnamoorthi, arXiv:1806.08342,
 * section 2.2): q = clamp(round(w / s), ±(2^(b−1) − 1)), s = max |w| / (2^(b−1) − 1). The model keeps float32 weights,
 * now s·q: "fake" quantisation, of the same form and with at most 2^b − 1 values. Activations stay as they are.
 */

import { z } from "zod";
import { changeKernels, type Kernel } from "./kernels.js";
import type { RemovalMethod } from "./method.js";

const options = z.strictObject({
  bits: z.int().min(2).max(16).default(8).describe("bits of a weight, its sign among them"),
  granularity: z
    .enum(["tensor", "channel"])
    .default("channel")
    .describe("one step size for each weight tensor, or for each output channel of it"),
});

export const quantisation: RemovalMethod<z.infer<typeof options>> = {
  id: "quantisation",
  title: "Weight quantisation",
  summary: "Rounds the weights of all layers to a few bits; needs no data.",
  paper: "Krishnamoorthi: Quantizing deep convolutional networks for efficient inference. arXiv:1806.08342, 2018",
  needs: [],
  baseline: true,
  variants: [{ bits: 8 }, { bits: 4 }],
  options,
  label: ({ bits, granularity }) => `Quantisation (${bits} bits${granularity === "tensor" ? ", by tensor" : ""})`,
  run: (attack, chosen) => changeKernels(attack, (kernels) => kernels.map((kernel) => quantised(kernel, chosen))),
};

function quantised({ tensor, unitAxis }: Kernel, { bits, granularity }: z.infer<typeof options>): Float32Array {
  const { dims, data } = tensor;
  const largestLevel = 2 ** (bits - 1) - 1;
  const axis = granularity === "channel" ? unitAxis : undefined;
  // Elements of one unit are `inner` long runs, `units · inner` apart.
  const units = axis === undefined ? 1 : (dims[axis] ?? 1);
  const inner = axis === undefined ? data.length : dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const unitOf = (i: number): number => Math.floor(i / inner) % units;
  const largest = new Float64Array(units);
  data.forEach((value, i) => {
    largest[unitOf(i)] = Math.max(largest[unitOf(i)] ?? 0, Math.abs(value));
  });
  return data.map((value, i) => {
    const step = (largest[unitOf(i)] ?? 0) / largestLevel;
    const level = step === 0 ? 0 : Math.min(largestLevel, Math.round(Math.abs(value) / step));
    return level === 0 ? 0 : Math.sign(value) * level * step;
  });
}
