/**
 * @file How many images a model is asked at once: as many as keep the cores busy, fewer where they would take more
 * memory than they are worth, or than there is.
 *
 * A file made for one image may hold self-attention over a thousand positions: a megabyte of weights that asks for
 * gigabytes at 250 images. What one image takes is seen when the first is asked; where that is much, it is reckoned
 * from the shapes of all values, so that the same model is asked the same number of images every time.
 */

import { WildmarkError } from "../core/errors.js";
import { elementCount, type Tensor } from "../core/tensor.js";
import type { Graph } from "../onnx/graph.js";
import { elementBytes } from "../onnx/tensor-proto.js";
import { isOutOfMemory } from "../runtime/onnxruntime.js";
import type { RuntimeOptions } from "../runtime/session.js";
import { traceGraph } from "../runtime/trace.js";

/**
 * What the values of one run may take together: 4 MiB an image at 250 images; larger ones fill no core better together.
 */
const MOST_BYTES = 2 ** 30;

/** Whether so many images at once may need looking into, by the memory that one of them took. */
export function isLarge(bytesOfOne: number, rows: number): boolean {
  return bytesOfOne * rows > MOST_BYTES;
}

/** Images at once, `most` at most, each of which takes so many bytes. */
export function rowsThatFit(bytesOfOne: number, most: number): number {
  return Math.max(1, Math.min(most, Math.floor(MOST_BYTES / Math.max(1, bytesOfOne))));
}

/** Runs `work`, and says by how much the memory of this process grew meanwhile, in bytes; other threads count too. */
export async function measuringMemory<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly grown: number }> {
  const before = process.memoryUsage.rss();
  const result = await work();
  return { result, grown: process.memoryUsage.rss() - before };
}

/**
 * The bytes that values of a graph which depend on what is fed take at once at most, where each is freed after its last
 * reader. Scratch memory of operators comes beside it.
 *
 * @param feeds what is fed: one image.
 */
export async function liveBytes(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  options: RuntimeOptions,
): Promise<number> {
  const trace = await traceGraph(graph, feeds, options);
  const sizeOf = (name: string): number => {
    const value = graph.initializers.has(name) ? undefined : trace.get(name);
    return value === undefined ? 0 : elementCount(value.dims) * elementBytes(value.type);
  };
  const lastReader = new Map<string, number>();
  graph.nodes.forEach((node, at) => {
    for (const name of node.inputs) lastReader.set(name, at);
  });
  let live = [...feeds.keys()].reduce((sum, name) => sum + sizeOf(name), 0);
  let most = live;
  graph.nodes.forEach((node, at) => {
    for (const name of node.outputs) live += sizeOf(name);
    most = Math.max(most, live);
    for (const name of new Set(node.inputs)) if (lastReader.get(name) === at) live -= sizeOf(name);
  });
  return most;
}

/**
 * Works through `count` images, some at a time. Where a run fails and fewer images may do, it is tried with half as
 * many, and so on down to one.
 *
 * @param run works through images `from` to `from + size`.
 * @throws WildmarkError as `run` does of one image.
 */
export async function inChunks(
  count: number,
  most: number,
  run: (from: number, size: number) => Promise<void>,
): Promise<void> {
  let chunk = most;
  for (let from = 0; from < count; ) {
    const size = Math.min(chunk, count - from);
    try {
      await run(from, size);
      from += size;
    } catch (error) {
      if (size === 1 || !mayFitSmaller(error)) throw error;
      chunk = Math.ceil(size / 2);
    }
  }
}

/** Out of memory, or refused by ONNX Runtime at this size. */
function mayFitSmaller(error: unknown): boolean {
  for (let each = error; each instanceof WildmarkError; each = each.cause) if (each.code === "runtime") return true;
  return isOutOfMemory(error);
}
