/** @file What the units of hidden layers answer on a set of images. */

import { elementCount } from "../core/tensor.js";
import type { Images } from "../data/dataset.js";
import { floats, overChunks, withOutputs } from "../data/hidden-values.js";
import type { Graph } from "../onnx/graph.js";
import type { RuntimeOptions } from "../runtime/session.js";
import type { UnitLayer } from "./units.js";

/** Of one layer's activation, over images. */
export interface ActivationMeans {
  /** At each position of one image's activation, all units in the order of the tensor. */
  readonly means: Float64Array;
  /** The unit that a position belongs to. */
  readonly unitAt: (position: number) => number;
}

/**
 * @param input name of the graph's input.
 * @param of what of each value is averaged: its absolute value, or itself.
 * @returns one entry a layer, in their order.
 */
export async function activationMeans(
  graph: Graph,
  input: string,
  layers: readonly UnitLayer[],
  images: Images,
  runtime: RuntimeOptions,
  of: (value: number) => number,
): Promise<readonly ActivationMeans[]> {
  const sums = layers.map((): { total: Float64Array; stride: number } => ({ total: new Float64Array(0), stride: 1 }));
  const names = [...new Set(layers.map(({ activation }) => activation))];
  await overChunks(withOutputs(graph, names), input, images, runtime, (values, _from, count) => {
    layers.forEach(({ activation, unitsLast, inner }, at) => {
      const { dims, data } = floats(values, activation);
      const size = data.length / count;
      const sum = sums[at];
      if (sum === undefined) return;
      if (sum.total.length === 0) {
        sum.total = new Float64Array(size);
        sum.stride = unitsLast ? 1 : elementCount(dims.slice(dims.length - inner));
      }
      data.forEach((value, i) => {
        sum.total[i % size] = (sum.total[i % size] ?? 0) + of(value);
      });
    });
  });
  return sums.map(({ total, stride }, at) => ({
    means: total.map((sum) => sum / images.count),
    unitAt: (position) => Math.floor(position / stride) % (layers[at]?.units ?? 1),
  }));
}
