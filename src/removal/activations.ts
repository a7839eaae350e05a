/** @file What the units of hidden layers answer on a set of images, and runs of a graph over all of them. */

import { WildmarkError } from "../core/errors.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import { packImages } from "../data/batches.js";
import { type Images, imageSize } from "../data/dataset.js";
import type { Graph } from "../onnx/graph.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";
import { inChunks } from "../training/rows-at-once.js";
import type { UnitLayer } from "./units.js";

/** Images a run of the runtime sees at once; fewer where that fails (`inChunks`). */
const CHUNK = 250;

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

/** The same graph with other outputs. */
export function withOutputs(graph: Graph, names: readonly string[]): Graph {
  return { ...graph, outputs: names.map((name) => ({ name, type: undefined, dims: undefined })) };
}

/** Runs the graph on all images, some at a time. */
export async function overChunks(
  graph: Graph,
  input: string,
  images: Images,
  runtime: RuntimeOptions,
  take: (values: ReadonlyMap<string, Tensor>, from: number, count: number, images: FloatTensor) => void,
): Promise<void> {
  const { channels, height, width } = images.shape;
  const session: Session = await createSession(graph, runtime);
  try {
    await inChunks(images.count, CHUNK, async (from, count) => {
      const data = new Float32Array(count * imageSize(images.shape));
      packImages(
        images,
        Array.from({ length: count }, (_, i) => from + i),
        data,
      );
      const batch = float32([count, channels, height, width], data);
      take(await session.run(new Map([[input, batch]])), from, count, batch);
    });
  } finally {
    await session.release();
  }
}

/** @throws WildmarkError `bad-model` where the value is no float32 tensor. */
export function floats(values: ReadonlyMap<string, Tensor>, name: string): FloatTensor {
  const tensor = values.get(name);
  if (tensor?.type === "float32") return tensor;
  throw new WildmarkError("bad-model", `"${name}" holds ${tensor?.type ?? "nothing"}; expected float32.`);
}
