/**
 * @file Layouts are propagated: a training graph in blocks of channels computes what it computes in plain order, and
 * stays in blocks.
 */

import { expect, test } from "vitest";
import { appendGradients } from "../../autodiff/differentiate.js";
import { randomStream } from "../../core/random.js";
import { elementCount, type FloatTensor, float32, type Tensor } from "../../core/tensor.js";
import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { createSession } from "../session.js";
import { traceGraph } from "../trace.js";
import { nchwcBlock } from "./nchwc-probe.js";
import { lowerPrimitives, rewrites } from "./index.js";
import { placeKernels } from "./layout-pass.js";
import { channelsOf, type Kernel } from "./rewrite.js";
import { writeGraph } from "./write-graph.js";

const block = await nchwcBlock();
const stream = randomStream(3);
const normal = (dims: readonly number[], mean: number = 0, deviation: number = 1): FloatTensor =>
  float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, () => mean + deviation * stream.normal()),
  );

interface Network {
  readonly b: GraphBuilder;
  readonly weights: string[];
  /** Running statistics after the step. */
  readonly statistics: string[];
}

const convolved = (
  { b, weights }: Network,
  x: string,
  dims: readonly number[],
  strides: number,
  pad: number,
): string => {
  const w = b.initializer("w", normal(dims, 0, 0.1));
  weights.push(w);
  return b.op("Conv", [x, w], { strides: [strides, strides], pads: [pad, pad, pad, pad] });
};

const normalized = ({ b, weights, statistics }: Network, x: string, channels: number): string => {
  const parameters = [b.initializer("scale", normal([channels], 1, 0.2)), b.initializer("bias", normal([channels]))];
  const running = [b.initializer("mean", normal([channels])), b.initializer("variance", normal([channels], 2, 0.1))];
  weights.push(...parameters);
  const [y = "", ...updated] = b.ops("BatchNormalization", [x, ...parameters, ...running], 3, { training_mode: 1 });
  statistics.push(...updated);
  return y;
};

/** A residual network of two stages: a stem on few channels, a strided block with a projection, a block without. */
function residualNetwork(images: number): {
  graph: GraphBuilder;
  network: Network;
  loss: string;
  feeds: Map<string, Tensor>;
} {
  const b = graphBuilder("network");
  const network: Network = { b, weights: [], statistics: [] };
  const dims = [images, 3, 8, 8];
  b.input("x", "float32", dims);
  const stem = b.op("Relu", [normalized(network, convolved(network, "x", [16, 3, 3, 3], 1, 1), 16)]);
  const first = b.op("Relu", [normalized(network, convolved(network, stem, [32, 16, 3, 3], 2, 1), 32)]);
  const second = normalized(network, convolved(network, first, [32, 32, 3, 3], 1, 1), 32);
  const projected = normalized(network, convolved(network, stem, [32, 16, 1, 1], 2, 0), 32);
  const strided = b.op("Relu", [b.op("Add", [second, projected])]);
  const third = normalized(network, convolved(network, strided, [32, 32, 3, 3], 1, 1), 32);
  const kept = b.op("Relu", [b.op("Add", [third, strided])]);
  const pooled = b.op("GlobalAveragePool", [kept]);
  const weighted = b.op("Mul", [pooled, b.initializer("target", normal([images, 32, 1, 1]))]);
  const loss = b.op("ReduceSum", [weighted], { keepdims: 0 });
  return { graph: b, network, loss, feeds: new Map([["x", normal(dims)]]) };
}

async function answers(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, number[]>> {
  const session = await createSession(graph);
  const found = await session.run(feeds);
  await session.release();
  return new Map([...found].map(([name, { data }]) => [name, Array.from(data, Number)]));
}

// Of 24 images, blocks of 16 are not filled: gradients to kernels are then computed in plain order.
test.skipIf(block === undefined).each([32, 24])("a residual network of %i images", async (images) => {
  const { graph: b, network, loss, feeds } = residualNetwork(images);
  const forward = b.build();
  const trace = await traceGraph({ ...forward, nodes: [...forward.nodes] }, feeds);
  const gradients = appendGradients(b, { trace, loss, by: network.weights });
  for (const output of new Set([loss, ...network.statistics, ...gradients.values()])) b.output(output);

  const expected = await answers(lowerPrimitives(b.build()), feeds);
  const inBlocks = lowerPrimitives(b.build(), { block: block ?? 1 });
  const found = await answers(inBlocks, feeds);
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [name, values] of expected) {
    const scale = Math.max(...values.map(Math.abs));
    const worst = Math.max(...values.map((value, i) => Math.abs(value - (found.get(name)?.[i] ?? Number.NaN))));
    // Sums of some thousand products in another order, through five normalisations.
    expect(worst / scale, name).toBeLessThan(2e-4);
  }

  const types = inBlocks.nodes.map(({ domain, opType }) => (domain === "" ? opType : `${domain}.${opType}`));
  expect(types).not.toContain("Relu");
  expect(types).not.toContain("BatchNormalization");
  expect(types.includes("Conv")).toBe(images % (block ?? 1) !== 0);
});

test.skipIf(block === undefined)(
  "batch statistics stay exact where the mean is a thousand standard deviations",
  async () => {
    const [n, c] = [16, 16];
    const b = graphBuilder("offset");
    b.input("x", "float32", [n, c, 4, 4]);
    // The identity as a convolution, which brings x into blocks.
    const kernel = float32(
      [c, c, 3, 3],
      Array.from({ length: c * c * 9 }, (_, i) => (i % 9 === 4 && Math.floor(i / 9) % (c + 1) === 0 ? 1 : 0)),
    );
    const x = b.op("Conv", ["x", b.initializer("kernel", kernel)], { pads: [1, 1, 1, 1] });
    const one = b.initializer("one", float32([c], new Float32Array(c).fill(1)));
    const zero = b.initializer("zero", float32([c], new Float32Array(c)));
    const [y = ""] = b.ops("BatchNormalization", [x, one, zero, zero, one], 3, { training_mode: 1 });
    b.output(y);
    const input = normal([n, c, 4, 4], 1000, 1);
    const found =
      (await answers(lowerPrimitives(b.build(), { block: block ?? 1 }), new Map([["x", input]]))).get(y) ?? [];
    for (let channel = 0; channel < c; channel++) {
      const places = found.flatMap((_, i) => (Math.floor(i / 16) % c === channel ? [i] : []));
      const values = places.map((i) => input.data[i] ?? Number.NaN);
      const mean = values.reduce((sum, value) => sum + value) / values.length;
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length + 1e-5);
      for (const [k, i] of places.entries()) expect(found[i]).toBeCloseTo(((values[k] ?? 0) - mean) / deviation, 2);
    }
  },
);

test.skipIf(block === undefined)(
  "a kernel that is added to the forward pass is offered where it fits, and taken",
  async () => {
    const b = graphBuilder("two convolutions");
    const dims = [16, 16, 6, 6];
    b.input("x", "float32", dims);
    const first = b.op(
      "Conv",
      ["x", b.initializer("w", normal([32, 16, 3, 3]))],
      { pads: [1, 1, 1, 1] },
      { name: "y" },
    );
    b.output(b.op("Conv", [first, b.initializer("w", normal([16, 32, 1, 1]))], {}, { name: "z" }));
    const graph = b.build();

    const conv = rewrites.get("Conv");
    const nchwc = conv?.inBlocks?.find(({ name }) => name === "nchwc");
    if (conv === undefined || nchwc === undefined) throw new Error("there is no such kernel");
    /** Kernels of 3×3 alone; computes twice what it should, to be seen. */
    const twice: Kernel = {
      name: "twice",
      match(site) {
        const found = nchwc.match(site);
        if (found === undefined || site.dims(site.node.inputs[1] ?? "")?.[2] !== 3) return undefined;
        const append: typeof found.append = (emission) =>
          emission.b.op("Add", [found.append(emission), found.append(emission)].flat());
        return { ...found, append };
      },
    };
    const extended = new Map([...rewrites, ["Conv", { ...conv, inBlocks: [nchwc, twice] }] as const]);
    const options = { device: "cpu" as const, block: block ?? 1 };
    const placed = placeKernels(graph, extended, options);
    expect(placed.map(({ chosen }) => [chosen?.kernel, chosen?.candidates])).toEqual([
      ["nchwc", ["nchwc", "twice"]],
      ["nchwc", ["nchwc"]],
    ]);
    // What is measured by itself knows its shapes, also where only the layout says them.
    expect(placed.map(({ chosen }) => chosen?.alone.attributes.x_shape)).toEqual([
      { kind: "ints", value: dims },
      { kind: "ints", value: channelsOf([16, 32, 6, 6]).dims },
    ]);

    const feeds = new Map([["x", normal(dims)]]);
    const choose = (_: unknown, names: readonly string[]): string | undefined => names.find((name) => name === "twice");
    const found = await answers(writeGraph(graph, placeKernels(graph, extended, { ...options, choose })), feeds);
    const expected = await answers(graph, feeds);
    // Sums of 4,608 products in another order, and twice as large.
    found.get("z")?.forEach((value, i) => {
      expect(value / 2).toBeCloseTo(expected.get("z")?.[i] ?? Number.NaN, 2);
    });
    expect(() => placeKernels(graph, extended, { ...options, choose: () => "none" })).toThrow(
      /no kernel "none".*nchwc, twice/,
    );
  },
);
