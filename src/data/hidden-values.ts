/** @file Runs of a graph over a set of images, some at a time, and the values inside it that they are asked for. */

import { WildmarkError } from "../core/errors.js";
import { type FloatTensor, float32, type Tensor } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";
import { createSession, type RuntimeOptions, type Session } from "../runtime/session.js";
import { inChunks } from "../training/rows-at-once.js";
import { packImages } from "./batches.js";
import { type Images, imageSize } from "./dataset.js";

/** Images a run of the runtime sees at once; fewer where that fails (`inChunks`). */
const CHUNK = 250;

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
