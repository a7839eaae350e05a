/**
 * @file Convolutions in the nchwc layout: they answer what plain ones answer, and only stand where channels fill
 * blocks.
 */

import { expect, test } from "vitest";
import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import { convAttributes } from "../../autodiff/windows.js";
import { elementCount, float32 } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { createSession } from "../session.js";
import { nchwcBlock } from "./nchwc-probe.js";
import { kernelChoices, lowerPrimitives } from "./index.js";

const block = await nchwcBlock();
const domains = (graph: Graph): string[] =>
  graph.nodes.filter(({ opType }) => opType === "Conv").map(({ domain }) => domain);
const waves = (dims: readonly number[]) =>
  float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, (_, i) => Math.sin(i * i)),
  );

async function answers(graph: Graph, feeds: Readonly<Record<string, readonly number[]>>): Promise<number[]> {
  const session = await createSession(graph);
  const found = await session.run(new Map(Object.entries(feeds).map(([name, dims]) => [name, waves(dims)])));
  await session.release();
  return Array.from([...found.values()][0]?.data ?? [], Number);
}

function convolution(wDims: readonly number[], attributes: Record<string, number | string | readonly number[]>): Graph {
  const b = graphBuilder("test");
  const [m = 1, c = 1] = wDims;
  b.input("x", "float32", [3, c, 9, 7]);
  b.input("w", "float32", wDims);
  b.input("bias", "float32", [m]);
  b.output(b.op("Conv", ["x", "w", "bias"], attributes, { name: "y" }));
  return b.build();
}

// Any x64 machine of the last ten years has AVX2; were the layout lost there, all tests below would be skipped.
test.runIf(process.arch === "x64")("this machine has blocks", () => {
  expect([8, 16]).toContain(block);
});

test.skipIf(block === undefined).each([
  [[16, 32, 3, 3], { pads: [1, 1, 1, 1] }],
  [[32, 16, 3, 3], { pads: [1, 0, 0, 1], strides: [2, 1] }],
  [[16, 16, 2, 3], { dilations: [2, 2] }],
  [[32, 3, 3, 3], { pads: [1, 1, 1, 1] }],
  // Large kernels and short rows: all images in one row.
  [[128, 128, 3, 3], { pads: [1, 1, 1, 1] }],
  [[128, 128, 2, 3], { pads: [1, 0, 0, 2] }],
] as const)("kernel %j with %j", async (wDims, attributes) => {
  const plain = convolution(wDims, attributes);
  const inBlocks = lowerPrimitives(plain, { block: block ?? 1 });
  expect(domains(inBlocks)).toEqual(["com.microsoft.nchwc"]);
  const feeds = { x: [3, wDims[1], 9, 7], w: wDims, bias: [wDims[0]] };
  const [expected, found] = [await answers(plain, feeds), await answers(inBlocks, feeds)];
  expect(found.length).toBe(expected.length);
  // Sums of up to 1,152 products of numbers below 1, in another order.
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 3);
});

test("what does not fill whole blocks stays plain: odd channels, groups, one cell, automatic padding", () => {
  for (const [wDims, attributes] of [
    [[20, 16, 3, 3], {}],
    [[16, 16, 1, 1], {}],
    [[16, 16, 3, 3], { auto_pad: "SAME_UPPER" }],
    [[16, 16, 3, 3], { group: 2 }],
  ] as const) {
    const plain = convolution(wDims, attributes);
    expect(lowerPrimitives(plain, { block: 16 })).toEqual(plain);
  }
});

test.skipIf(block === undefined).each([
  [32, 16],
  [128, 128],
])("the gradient to the input is a convolution too, kernel %i × %i", async (m, c) => {
  const axis = { input: 6, output: 6, kernel: 3, stride: 1, dilation: 1, begin: 1, end: 1 };
  const geometry = { xDims: [2, c, 6, 6], yDims: [2, m, 6, 6], wDims: [m, c, 3, 3], axes: [axis, axis], group: 1 };
  const b = graphBuilder("test");
  b.input("dy", "float32", geometry.yDims);
  b.input("w", "float32", geometry.wDims);
  b.output(b.op("ConvGradInput", ["dy", "w"], convAttributes(geometry), { domain: WILDMARK_DOMAIN, name: "dx" }));
  const feeds = { dy: geometry.yDims, w: geometry.wDims };
  const inBlocks = lowerPrimitives(b.build(), { block: block ?? 1 });
  expect(new Set(domains(inBlocks))).toEqual(new Set(["com.microsoft.nchwc"]));
  const expected = await answers(lowerPrimitives(b.build(), { choose: () => "transposed" }), feeds);
  const found = await answers(inBlocks, feeds);
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 4);
});

const gradientAxes = {
  padded: { input: 6, output: 6, kernel: 3, stride: 1, dilation: 1, begin: 1, end: 1 },
  "strided, one padding unread": { input: 8, output: 4, kernel: 3, stride: 2, dilation: 1, begin: 1, end: 1 },
  "strided, cells left over": { input: 9, output: 2, kernel: 3, stride: 4, dilation: 1, begin: 0, end: 0 },
  "two bands of rows": { input: 32, output: 32, kernel: 3, stride: 1, dilation: 1, begin: 1, end: 1 },
  "bands of rows, strided": { input: 48, output: 24, kernel: 3, stride: 2, dilation: 1, begin: 1, end: 1 },
  "a cell, strided": { input: 8, output: 4, kernel: 1, stride: 2, dilation: 1, begin: 0, end: 0 },
};

test.skipIf(block === undefined).each(Object.entries(gradientAxes))("gradient to the kernel: %s", async (_, axis) => {
  const [n, c, m] = [32, 16, 16];
  const geometry = {
    xDims: [n, c, axis.input, axis.input],
    yDims: [n, m, axis.output, axis.output],
    wDims: [m, c, axis.kernel, axis.kernel],
    axes: [axis, axis],
    group: 1,
  };
  const b = graphBuilder("test");
  b.input("x", "float32", geometry.xDims);
  b.input("dy", "float32", geometry.yDims);
  b.output(b.op("ConvGradWeight", ["x", "dy"], convAttributes(geometry), { domain: WILDMARK_DOMAIN, name: "dw" }));
  const graph = b.build();
  expect(kernelChoices(graph, { block: block ?? 1 }).map(({ kernel }) => kernel)).toEqual(["nchwc"]);
  const onGpu = kernelChoices(graph, { device: "webgpu", block: block ?? 1 });
  expect(onGpu.flatMap(({ candidates }) => candidates)).not.toContain("nchwc");
  const feeds = { x: geometry.xDims, dy: geometry.yDims };
  const expected = await answers(lowerPrimitives(graph, { choose: () => "conv" }), feeds);
  const found = await answers(lowerPrimitives(graph, { block: block ?? 1 }), feeds);
  expect(found.length).toBe(expected.length);
  // Sums of up to 1,152 products of numbers below 1, in another order.
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))));
  expect(worst).toBeLessThan(1e-5 * Math.max(...expected.map(Math.abs)));
});

test("the gradient to the kernel stays plain where images or channels do not fill blocks", () => {
  const axis = gradientAxes.padded;
  for (const [n, c, m, group] of [
    [10, 16, 16, 1],
    [32, 16, 20, 1],
    [32, 32, 32, 2],
  ] as const) {
    const geometry = {
      xDims: [n, c, 6, 6],
      yDims: [n, m, 6, 6],
      wDims: [m, c / group, 3, 3],
      axes: [axis, axis],
      group,
    };
    const b = graphBuilder("test");
    b.output(b.op("ConvGradWeight", ["x", "dy"], convAttributes(geometry), { domain: WILDMARK_DOMAIN }));
    expect(kernelChoices(b.build(), { block: 16 }).map(({ kernel }) => kernel)).not.toContain("nchwc");
  }
});
