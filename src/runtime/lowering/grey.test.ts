/**
 * @file A small network on grey images, with images side by side in blocks, computes what it computes in plain order.
 */

import { expect, test } from "vitest";
import { appendGradients } from "../../autodiff/differentiate.js";
import { randomStream } from "../../core/random.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { createSession } from "../session.js";
import { traceGraph } from "../trace.js";
import { nchwcBlock } from "./nchwc-probe.js";
import { lowerPrimitives } from "./index.js";

const block = await nchwcBlock();

interface Strides {
  readonly strides: number;
  readonly pads: readonly number[];
  readonly window: number;
}

/** Convolution, ReLU and pooling twice, like LeNet-5; loss, and the gradients to all weights. */
async function network(images: number, { strides, pads, window }: Strides) {
  const stream = randomStream(5);
  const normal = (dims: readonly number[], deviation: number): FloatTensor =>
    float32(
      dims,
      Float32Array.from({ length: elementCount(dims) }, () => deviation * stream.normal()),
    );
  const b = graphBuilder("network");
  const dims = [images, 1, 12, 12];
  // Half of each image is blank: with a positive bias, all cells of a window there hold its maximum.
  const pixels = normal(dims, 1);
  pixels.data.forEach((_, i) => {
    if (i % 12 < 6) pixels.data[i] = 0;
  });
  const x = b.input("x", "float32", dims);
  const weights = {
    w1: b.initializer("w1", normal([6, 1, 3, 3], 0.5)),
    b1: b.initializer("b1", float32([6], [0.5, 0.25, -0.5, 1, 0, 0.75])),
    w2: b.initializer("w2", normal([16, 6, 2, 2], 0.3)),
    b2: b.initializer("b2", normal([16], 0.3)),
  };
  const pooled = (from: string, size: number): string =>
    b.op("MaxPool", [b.op("Relu", [from])], { kernel_shape: [size, size], strides: [size, size] });
  const grey = b.op("Conv", [x, weights.w1, weights.b1], { strides: [strides, strides], pads });
  const first = pooled(grey, window);
  const second = pooled(b.op("Conv", [first, weights.w2, weights.b2], { pads: [0, 0, 1, 1] }), 2);
  const loss = b.op("ReduceSumSquare", [second], { keepdims: 0 });
  const feeds = new Map<string, Tensor>([["x", pixels]]);
  const forward = b.build();
  const trace = await traceGraph({ ...forward, nodes: [...forward.nodes] }, feeds);
  const gradients = appendGradients(b, { trace, loss, by: Object.values(weights) });
  for (const output of [loss, first, second, ...gradients.values()]) b.output(output);
  return { graph: b.build(), feeds };
}

async function answers(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, number[]>> {
  const session = await createSession(graph);
  const found = await session.run(feeds);
  await session.release();
  return new Map([...found].map(([name, { data }]) => [name, Array.from(data, Number)]));
}

const types = (graph: Graph): string[] =>
  graph.nodes.map(({ domain, opType }) => (domain === "" ? opType : `${domain}.${opType}`));

// Of 24 images, blocks of 16 are not filled.
test.skipIf(block === undefined).each([
  [32, "padded", { strides: 1, pads: [1, 1, 1, 1], window: 2 }],
  [24, "padded", { strides: 1, pads: [1, 1, 1, 1], window: 2 }],
  [32, "strided", { strides: 2, pads: [0, 1, 1, 0], window: 3 }],
] as const)("%i grey images, %s", async (images, _, shape) => {
  const { graph, feeds } = await network(images, shape);
  const expected = await answers(lowerPrimitives(graph), feeds);
  const inBlocks = lowerPrimitives(graph, { block: block ?? 1 });
  const found = await answers(inBlocks, feeds);
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [name, values] of expected) {
    const scale = Math.max(...values.map(Math.abs));
    const worst = Math.max(...values.map((value, i) => Math.abs(value - (found.get(name)?.[i] ?? Number.NaN))));
    // Sums of some thousand products in another order; a gradient that goes to the wrong cell is off by a tenth or
    // more.
    expect(worst / scale, name).toBeLessThan(1e-4);
  }
  const filled = images % (block ?? 1) === 0;
  expect(types(inBlocks).filter((type) => type === "MaxPool")).toHaveLength(filled ? 0 : 1);
  expect(types(inBlocks).includes("MaxUnpool")).toBe(!filled);
});
