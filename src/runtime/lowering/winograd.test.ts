/** @file When Winograd's kernels are taken, and how much they round; that they are right is tested with all others. */

import { describe, expect, test } from "vitest";
import { type ConvGeometry, convAttributes } from "../../autodiff/windows.js";
import { randomStream } from "../../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { createSession } from "../session.js";
import { kernelChoices, lowerPrimitives } from "./index.js";
import { nchwcBlock } from "./nchwc-probe.js";
import { WINOGRAD_ERROR } from "./winograd.js";

const block = await nchwcBlock();
const operators = ["Conv", "ConvGradInput", "ConvGradWeight"] as const;

/** 3×3 at stride 1, padded by 1. */
function geometryOf(n: number, channels: number, outputs: number, size: number): ConvGeometry {
  const axis = { input: size, output: size, kernel: 3, stride: 1, dilation: 1, begin: 1, end: 1 };
  const dims = [size, size];
  const [xDims, yDims] = [
    [n, channels, ...dims],
    [n, outputs, ...dims],
  ];
  return { xDims, yDims, wDims: [outputs, channels, 3, 3], axes: [axis, axis], group: 1 };
}

function graphOf(operator: (typeof operators)[number], geometry: ConvGeometry): Graph {
  const { xDims, yDims, wDims } = geometry;
  const b = graphBuilder(operator);
  const read = {
    Conv: { x: xDims, w: wDims },
    ConvGradInput: { dy: yDims, w: wDims },
    ConvGradWeight: { x: xDims, dy: yDims },
  };
  const inputs = Object.entries(read[operator]).map(([name, dims]) => b.input(name, "float32", dims));
  b.output(b.op(operator, inputs, convAttributes(geometry), { domain: "wildmark", name: "result" }));
  return b.build();
}

function normal(name: string, dims: readonly number[]): FloatTensor {
  const stream = randomStream(3, name);
  return float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, () => stream.normal()),
  );
}

describe.skipIf(block === undefined)("where the machine has blocks", () => {
  const onCpu = { device: "cpu" as const, block: block ?? 1 };

  test.each(operators)("%s of 256 channels on whole tiles is computed so, unless that is not wanted", (operator) => {
    const kernelOf = (geometry: ConvGeometry, without: readonly string[] = []): string | undefined =>
      kernelChoices(graphOf(operator, geometry), { ...onCpu, without })[0]?.kernel;
    expect(kernelOf(geometryOf(16, 256, 256, 8))).toBe("winograd");
    expect(kernelOf(geometryOf(16, 256, 256, 8), ["winograd"])).toBe("nchwc");
    // Few channels, and tiles of which more than a third is not wanted.
    expect(kernelOf(geometryOf(16, 128, 256, 8))).toBe("nchwc");
    expect(kernelOf(geometryOf(16, 256, 256, 5))).toBe("nchwc");
  });

  test.each(operators)("%s rounds by less than is said", async (operator) => {
    const graph = graphOf(operator, geometryOf(16, 256, 128, 8));
    const feeds = new Map(graph.inputs.map(({ name, dims }) => [name, normal(name, (dims ?? []).map(Number))]));
    const [direct = [], found = []] = await Promise.all(
      ["nchwc", "winograd"].map(async (kernel) => {
        const session = await createSession(lowerPrimitives(graph, { ...onCpu, choose: () => kernel }));
        const data = Array.from((await session.run(feeds)).get("result")?.data ?? [], Number);
        await session.release();
        return data;
      }),
    );
    const largest = direct.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = direct.reduce((most, value, i) => Math.max(most, Math.abs(value - (found[i] ?? Number.NaN))), 0);
    expect(worst / largest).toBeLessThan(WINOGRAD_ERROR);
    // It is another sum, not the same one under another name.
    expect(worst).toBeGreaterThan(0);
  });
});
