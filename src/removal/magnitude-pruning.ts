/**
 * @file Magnitude pruning: the weights nearest to zero become zero. A cheap check, which needs no data; tuning
 * afterwards is another method's work (`stack`).
 *
 * Han, Pool, Tran, Dally (NIPS 2015, section 3): weights below a threshold go. The threshold is that of the wanted
 * share [ours], of each layer by itself or of all layers together.
 */

import { z } from "zod";
import { changeKernels, type Kernel } from "./kernels.js";
import type { RemovalMethod } from "./method.js";

const options = z.strictObject({
  sparsity: z.number().gt(0).lt(1).default(0.5).describe("share of the weights that become zero"),
  scope: z
    .enum(["layer", "global"])
    .default("layer")
    .describe("the share holds in each layer, or over all of them together"),
});

export const magnitudePruning: RemovalMethod<z.infer<typeof options>> = {
  id: "magnitude-pruning",
  title: "Magnitude pruning",
  summary: "Sets the weights nearest to zero to zero; needs no data.",
  paper: "Han, Pool, Tran, Dally: Learning both Weights and Connections for Efficient Neural Networks. NIPS 2015",
  needs: [],
  baseline: true,
  variants: [{ sparsity: 0.5 }, { sparsity: 0.9 }],
  options,
  label: ({ sparsity, scope }) =>
    `Magnitude pruning (${Math.round(1000 * sparsity) / 10} %${scope === "global" ? " of all" : ""})`,
  run: (attack, { sparsity, scope }) =>
    changeKernels(attack, (kernels) => {
      const groups = scope === "global" ? [kernels] : kernels.map((kernel) => [kernel]);
      return groups.flatMap((group) => pruned(group, sparsity));
    }),
};

/** The `share` of all elements that are smallest become zero; of equal ones, those that come first. */
function pruned(kernels: readonly Kernel[], share: number): Float32Array[] {
  const count = kernels.reduce((sum, { tensor }) => sum + tensor.data.length, 0);
  const sizes = new Float32Array(count);
  let at = 0;
  for (const { tensor } of kernels) for (const value of tensor.data) sizes[at++] = Math.abs(value);
  const wanted = Math.round(share * count);
  const largest = sizes.sort()[wanted - 1] ?? -1;
  let equals = wanted - sizes.findIndex((size) => size >= largest);
  return kernels.map(({ tensor }) =>
    tensor.data.map((value) => {
      const size = Math.abs(value);
      if (size > largest) return value;
      if (size < largest) return 0;
      equals -= 1;
      return equals >= 0 ? 0 : value;
    }),
  );
}
