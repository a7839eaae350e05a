/** @file Every kernel of every primitive against the primitive's definition in float64. */

import { describe, expect, test } from "vitest";
import { WILDMARK_DOMAIN } from "../../autodiff/primitives.js";
import * as reference from "../../autodiff/testing/reference/sliding.js";
import {
  type ConvGeometry,
  convAttributes,
  extent,
  poolAttributes,
  type WindowAxis,
  type WindowGeometry,
} from "../../autodiff/windows.js";
import { randomStream } from "../../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { createSession } from "../session.js";
import { nchwcBlock } from "./nchwc-probe.js";
import { kernelChoices, lowerPrimitives } from "./index.js";

/** An axis from input, kernel, stride, dilation, begin, end; one more window with `ceil`. */
function axis(input: number, kernel: number, stride = 1, dilation = 1, begin = 0, end = 0, ceil = false): WindowAxis {
  const partial = { input, output: 1, kernel, stride, dilation, begin, end };
  const steps = (input + begin + end - extent(partial)) / stride;
  return { ...partial, output: (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1 };
}

const block = await nchwcBlock();

const windowCases: Readonly<Record<string, readonly WindowAxis[]>> = {
  plain: [axis(6, 3), axis(5, 2)],
  "one by one": [axis(4, 1), axis(3, 1)],
  "one by one, strided": [axis(5, 1, 2), axis(4, 1, 2)],
  tiling: [axis(6, 2, 2), axis(4, 2, 2)],
  "disjoint with gaps": [axis(7, 2, 3), axis(8, 2, 3)],
  padded: [axis(5, 3, 1, 1, 1, 1), axis(4, 3, 1, 1, 1, 1)],
  "padded asymmetrically": [axis(5, 3, 1, 1, 0, 1), axis(6, 4, 1, 1, 2, 1)],
  "strided, padded": [axis(7, 3, 2, 1, 1, 1), axis(8, 3, 2, 1, 1, 1)],
  "stride that does not divide": [axis(9, 3, 4), axis(8, 2, 3, 1, 1, 0)],
  "dilated, padded": [axis(8, 3, 1, 2, 2, 2), axis(7, 2, 1, 3, 1, 1)],
  "dilated, strided": [axis(9, 3, 2, 2, 1, 2), axis(10, 2, 3, 2, 0, 1)],
  "one dimension": [axis(11, 4, 2, 1, 1, 2)],
  "three dimensions": [axis(4, 2, 1, 1, 1, 0), axis(5, 3, 2), axis(3, 2)],
};

const convCases: Readonly<Record<string, ConvGeometry>> = Object.fromEntries(
  Object.entries({
    ...windowCases,
    // Poolings may not pad by a kernel or more.
    "padded, not whole tiles": [axis(9, 3, 1, 1, 1, 1), axis(7, 3, 1, 1, 1, 1)],
    "not padded, one axis of one tile": [axis(6, 3), axis(10, 3)],
    "padded beyond the kernel": [axis(4, 2, 1, 1, 3, 2), axis(5, 1, 2, 1, 1, 2)],
  }).flatMap(([title, axes]) => [
    [title, convOf(axes, 3, 2, 4, 1)],
    [`${title}; 2 groups`, convOf(axes, 2, 4, 6, 2)],
    [`${title}; depthwise`, convOf(axes, 2, 3, 3, 3)],
    ...(block === undefined || axes.length !== 2
      ? []
      : [
          [`${title}; whole blocks`, convOf(axes, block, 2 * block, 2 * block, 1)] as const,
          [`${title}; one block`, convOf(axes, 2 * block, block, block, 1)] as const,
          [`${title}; few channels`, convOf(axes, 2 * block, 3, block, 1)] as const,
          [`${title}; grey images`, convOf(axes, 2 * block, 1, 3, 1)] as const,
        ]),
  ]),
);

const poolCases: Readonly<Record<string, WindowGeometry>> = Object.fromEntries(
  Object.entries({
    ...windowCases,
    "ceil mode": [axis(7, 3, 2, 1, 0, 0, true), axis(8, 3, 2, 1, 0, 0, true)],
    "ceil mode, padded": [axis(6, 3, 2, 1, 1, 1, true), axis(7, 2, 2, 1, 1, 0, true)],
  }).map(([title, axes]) => [title, poolOf(axes, 2, 3)]),
);

function poolOf(axes: readonly WindowAxis[], n: number, c: number): WindowGeometry {
  return { axes, xDims: [n, c, ...axes.map((a) => a.input)], yDims: [n, c, ...axes.map((a) => a.output)] };
}

function convOf(axes: readonly WindowAxis[], n: number, c: number, m: number, group: number): ConvGeometry {
  const { xDims } = poolOf(axes, n, c);
  const { yDims } = poolOf(axes, n, m);
  return { axes, xDims, yDims, wDims: [m, c / group, ...axes.map((a) => a.kernel)], group };
}

function random(name: string, dims: readonly number[]): FloatTensor {
  const stream = randomStream(1, name);
  return float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, () => stream.normal()),
  );
}

/** Values that tie often: 0, 1 or 2. */
function tying(dims: readonly number[]): FloatTensor {
  const stream = randomStream(2);
  return float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, () => stream.below(3)),
  );
}

const wide = (tensor: FloatTensor): Float64Array => Float64Array.from(tensor.data);

/**
 * Runs `graph`, on the CPU, lowered with each candidate of any device for its only primitive; checks that it is gone
 * and that its value is right.
 */
async function expectAllLowerings(
  graph: Graph,
  feeds: Readonly<Record<string, FloatTensor>>,
  expected: Float64Array,
): Promise<void> {
  const primitive = graph.nodes.find((node) => node.domain === WILDMARK_DOMAIN);
  if (primitive === undefined) throw new Error("the graph holds no primitive");
  const [output = ""] = primitive.outputs;
  const onCpu = block === undefined ? {} : { block };
  const onGpu = { device: "webgpu" as const };
  const forms = [onCpu, onGpu].flatMap((where) => {
    const choice = kernelChoices(graph, where).find(({ value }) => value === output);
    return (choice?.candidates ?? []).map((name) => ({ name, where }));
  });
  expect(forms.length).toBeGreaterThan(1);
  for (const { name, where } of forms) {
    const lowered = lowerPrimitives(graph, { ...where, choose: () => name });
    expect(lowered.nodes.filter((node) => node.domain === WILDMARK_DOMAIN)).toEqual([]);
    expect(lowered.opsets.has(WILDMARK_DOMAIN)).toBe(false);
    const session = await createSession(lowered);
    const results = await session.run(new Map(Object.entries(feeds)));
    await session.release();
    const actual = Array.from(results.get(output)?.data ?? [], Number);
    expect(actual, name).toHaveLength(expected.length);
    const scale = Math.max(1, ...expected.map(Math.abs));
    // Sums of at most a few hundred products in float32: 1e-5 of the largest is far above their rounding.
    const worst = Math.max(...actual.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)) / scale));
    expect(worst, name).toBeLessThan(1e-5);
  }
}

describe.each(Object.entries(convCases))("%s", (_, geometry) => {
  const { xDims, wDims, yDims } = geometry;

  test.each(["without bias", "with bias"])("Conv, %s", async (which) => {
    const x = random("x", xDims);
    const w = random("w", wDims);
    const bias = which === "with bias" ? random("bias", [wDims[0] ?? 1]) : undefined;
    const b = graphBuilder("test");
    const inputs = [b.input("x", "float32", xDims), b.input("w", "float32", wDims)];
    if (bias !== undefined) inputs.push(b.input("bias", "float32", bias.dims));
    b.output(b.op("Conv", inputs, convAttributes(geometry), { domain: WILDMARK_DOMAIN }), "float32", yDims);
    const channels = yDims[1] ?? 1;
    const positions = elementCount(yDims.slice(2));
    const expected = reference
      .convForward(wide(x), wide(w), geometry)
      .map((value, i) => value + (bias?.data[Math.floor(i / positions) % channels] ?? 0));
    await expectAllLowerings(b.build(), { x, w, ...(bias === undefined ? {} : { bias }) }, expected);
  });

  test("ConvGradInput", async () => {
    const dy = random("dy", yDims);
    const w = random("w", wDims);
    const b = graphBuilder("test");
    const inputs = [b.input("dy", "float32", yDims), b.input("w", "float32", wDims)];
    b.output(b.op("ConvGradInput", inputs, convAttributes(geometry), { domain: WILDMARK_DOMAIN }), "float32", xDims);
    await expectAllLowerings(b.build(), { dy, w }, reference.convGradInput(wide(dy), wide(w), geometry));
  });

  test("ConvGradWeight", async () => {
    const x = random("x", xDims);
    const dy = random("dy", yDims);
    const b = graphBuilder("test");
    const inputs = [b.input("x", "float32", xDims), b.input("dy", "float32", yDims)];
    b.output(b.op("ConvGradWeight", inputs, convAttributes(geometry), { domain: WILDMARK_DOMAIN }), "float32", wDims);
    await expectAllLowerings(b.build(), { x, dy }, reference.convGradWeight(wide(x), wide(dy), geometry));
  });
});

describe.each(Object.entries(poolCases))("%s", (_, geometry) => {
  const { xDims, yDims, axes } = geometry;

  test.each(["with its MaxPool", "without"])("MaxPoolGrad, %s", async (where) => {
    const x = tying(xDims);
    const dy = random("dy", yDims);
    const b = graphBuilder("test");
    b.input("x", "float32", xDims);
    b.input("dy", "float32", yDims);
    const { kernel_shape = [], strides = [], pads = [], dilations = [] } = poolAttributes(geometry);
    const ceil = axes.some((a) => a.stride * (a.output - 1) + extent(a) > a.input + a.begin + a.end);
    const pool = b.op("MaxPool", ["x"], { kernel_shape, strides, pads, dilations, ceil_mode: ceil ? 1 : 0 });
    const y = where === "without" ? b.op("Identity", [pool]) : pool;
    b.output(pool);
    b.output(b.op("MaxPoolGrad", ["x", y, "dy"], poolAttributes(geometry), { domain: WILDMARK_DOMAIN }));
    await expectAllLowerings(b.build(), { x, dy }, reference.maxPoolGrad(wide(x), wide(dy), geometry));
  });

  test.each([0, 1])("AveragePoolGrad, count_include_pad %d", async (includePad) => {
    const dy = random("dy", yDims);
    const b = graphBuilder("test");
    b.input("dy", "float32", yDims);
    const attributes = { ...poolAttributes(geometry), count_include_pad: includePad };
    b.output(b.op("AveragePoolGrad", ["dy"], attributes, { domain: WILDMARK_DOMAIN }), "float32", xDims);
    await expectAllLowerings(b.build(), { dy }, reference.averagePoolGrad(wide(dy), geometry, includePad === 1));
  });
});

test("a MaxPool that has to give the places of its maxima stays one node", () => {
  const b = graphBuilder("test");
  b.input("x", "float32", [1, 1, 4, 4]);
  b.input("dy", "float32", [1, 1, 2, 2]);
  const geometry = poolOf([axis(4, 2, 2), axis(4, 2, 2)], 1, 1);
  const y = b.op("MaxPool", ["x"], { kernel_shape: [2, 2], strides: [2, 2] }, { name: "y" });
  b.output(b.op("MaxPoolGrad", ["x", y, "dy"], poolAttributes(geometry), { domain: WILDMARK_DOMAIN, name: "dx" }));
  const lowered = lowerPrimitives(b.build());
  expect(lowered.nodes.map((node) => [node.opType, node.outputs])).toEqual([
    ["MaxPool", ["y", "y_indices"]],
    ["MaxUnpool", ["dx"]],
  ]);
});

test("the static choice runs on any device, and a caller's undefined means the static choice", () => {
  const geometry = poolOf([axis(5, 3, 2), axis(5, 3, 2)], 1, 1);
  const b = graphBuilder("test");
  b.input("x", "float32", geometry.xDims);
  b.input("dy", "float32", geometry.yDims);
  const y = b.op("MaxPool", ["x"], { kernel_shape: [3, 3], strides: [2, 2] });
  b.output(b.op("MaxPoolGrad", ["x", y, "dy"], poolAttributes(geometry), { domain: WILDMARK_DOMAIN }));
  const types = (graph: Graph): string[] => graph.nodes.map((node) => node.opType);
  expect(types(lowerPrimitives(b.build()))).toContain("ScatterElements");
  const onGpu = lowerPrimitives(b.build(), { device: "webgpu", choose: () => undefined });
  expect(types(onGpu)).toContain("ArgMax");
  expect(onGpu.nodes[0]?.outputs).toHaveLength(1);
});

test("an unknown kernel is named beside those there are", () => {
  const geometry = convOf([axis(4, 2, 2)], 1, 2, 2, 1);
  const b = graphBuilder("test");
  b.input("dy", "float32", geometry.yDims);
  b.input("w", "float32", geometry.wDims);
  b.output(b.op("ConvGradInput", ["dy", "w"], convAttributes(geometry), { domain: WILDMARK_DOMAIN }));
  expect(() => lowerPrimitives(b.build(), { choose: () => "rotated" })).toThrow(/no kernel "rotated".*transposed/);
});
