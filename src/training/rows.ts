/**
 * @file Sees to it that a model answers each image by itself: the scores of images asked together are those of each
 * asked alone.
 *
 * A graph whose fixed batch was loosened (`onnx/free-batch.ts`) may still mix the rows, and so may one that was
 * exported in training mode. Nothing in the file says so; running it does.
 */

import { WildmarkError } from "../core/errors.js";
import type { ImageShape } from "../core/image.js";
import { randomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import type { Classifier } from "../onnx/classifier.js";
import type { Graph } from "../onnx/graph.js";
import { type ImageGraph, imageGraph } from "../onnx/image-graph.js";
import type { Model } from "../onnx/model.js";
import { isOutOfMemory } from "../runtime/onnxruntime.js";
import { createSession, type RuntimeOptions } from "../runtime/session.js";
import { defined } from "../core/defined.js";

/** The scores of a batch of images. */
export type Ask = (images: FloatTensor) => Promise<FloatTensor>;

/** Of the largest score of a row: kernels for one image and for many round differently. */
const TOLERANCE = 1e-3;

/**
 * @param images two or more, which go through `ask` together, and the first and the last of them alone too.
 * @param first the scores of the first alone, where they are known.
 * @returns the scores of them all.
 * @throws WildmarkError `bad-model` where the scores of an image depend on what stands beside it, or ONNX Runtime
 *   refuses either; `runtime` where there is not enough memory.
 */
export async function askedTogether(ask: Ask, images: FloatTensor, first?: FloatTensor): Promise<FloatTensor> {
  const [count = 0, ...dims] = images.dims;
  const size = elementCount(dims);
  const together = await ask(images).catch((cause) => Promise.reject(notFree(cause)));
  for (const row of [0, count - 1]) {
    const one = float32([1, ...dims], images.data.subarray(row * size, (row + 1) * size));
    const known = row === 0 ? first : undefined;
    const alone: FloatTensor = known ?? (await ask(one).catch((cause) => Promise.reject(notFree(cause))));
    const same = together.data.subarray(row * alone.data.length, (row + 1) * alone.data.length);
    if (together.data.length !== count * alone.data.length || !isClose(same, alone.data)) throw notFree(undefined);
  }
  return together;
}

/**
 * The model's `imageGraph`, whose rows are seen to be independent where the file fixes their number.
 *
 * @throws WildmarkError as `imageGraph` and `askedTogether` do.
 */
export async function freeImageGraph(
  model: Model,
  shape: ImageShape,
  options: RuntimeOptions = {},
): Promise<ImageGraph> {
  const made = imageGraph(model, shape);
  if (made.freed) await requireFreeRows(made.graph, made.classifier, shape, options);
  return made;
}

/**
 * The same of a graph (`imageGraph`) that nobody has asked anything yet, on two images of noise.
 *
 * @throws WildmarkError `bad-model` as `askedTogether` does.
 */
export async function requireFreeRows(
  graph: Graph,
  { input, output }: Classifier,
  { channels, height, width }: ImageShape,
  options: RuntimeOptions = {},
): Promise<void> {
  const random = randomStream(0, "rows");
  const noise = Float32Array.from({ length: 2 * channels * height * width }, () => random.uniform());
  const session = await createSession(graph, options);
  try {
    const ask = async (images: FloatTensor): Promise<FloatTensor> => {
      const scores = (await session.run(new Map([[input.name, images]]))).get(output);
      return scores?.type === "float32" ? scores : float32([0], []);
    };
    await askedTogether(ask, float32([2, channels, height, width], noise));
  } finally {
    await session.release();
  }
}

function isClose(a: Float32Array, b: Float32Array): boolean {
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.every((value, i) => Object.is(value, b[i]) || Math.abs(value - (b[i] ?? 0)) <= TOLERANCE * largest);
}

function notFree(cause: unknown): WildmarkError {
  if (cause instanceof WildmarkError && (cause.code !== "runtime" || isOutOfMemory(cause))) return cause;
  const why = cause instanceof Error ? `; ${cause.message}` : ": the scores of an image depend on those beside it";
  return new WildmarkError("bad-model", `The model cannot be asked several images at once${why}`, {
    hint: "Export it again for inference, with a dynamic batch (PyTorch: dynamic_axes or dynamic_shapes for axis 0).",
    ...defined({ cause }),
  });
}
