/** @file What is decomposed for other devices gives what the operator itself gives on the CPU. */

import { expect, test } from "vitest";
import { randomStream } from "../../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../../core/tensor.js";
import { float, type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import type { Dim } from "../../onnx/graph.js";
import { createSession } from "../session.js";
import { decompose, lowerPrimitives } from "./index.js";

function random(name: string, dims: readonly number[], spread = 1): FloatTensor {
  const stream = randomStream(1, name);
  const data = Float32Array.from({ length: elementCount(dims) }, () => 3 + spread * stream.normal());
  return float32(dims, data);
}

/** Runs the graph that `build` makes as it is and decomposed; both have the same outputs, under the same names. */
async function expectSame(x: FloatTensor, build: (b: GraphBuilder) => readonly string[]): Promise<void> {
  // Where shapes are known, primitives come of it.
  for (const dims of [x.dims, x.dims.map((_, axis) => `d${axis}`)]) await expectSameOf(x, dims, build);
}

async function expectSameOf(x: FloatTensor, dims: readonly Dim[], build: (b: GraphBuilder) => readonly string[]) {
  const b = graphBuilder("test");
  b.input("x", "float32", dims);
  const outputs = build(b);
  for (const output of outputs) b.output(output);
  const graph = b.build();
  const decomposed = lowerPrimitives(graph, { device: "webgpu" });
  expect(decomposed.nodes.length).toBeGreaterThan(graph.nodes.length);
  expect(decompose(graph, { device: "cpu" })).toBe(graph);
  const [expected, found] = await Promise.all(
    [graph, decomposed].map(async (each) => {
      const session = await createSession(each);
      const results = await session.run(new Map([["x", x]]));
      await session.release();
      return outputs.map((output) => Array.from(results.get(output)?.data ?? [], Number));
    }),
  );
  found?.forEach((values, i) => {
    const wanted = expected?.[i] ?? [];
    expect(values).toHaveLength(wanted.length);
    // Means of a few hundred float32 numbers of about 3, taken in another order.
    const worst = Math.max(...values.map((value, k) => Math.abs(value - (wanted[k] ?? Number.NaN))));
    expect(worst, outputs[i]).toBeLessThan(2e-5);
  });
}

test.each([[[4, 5, 6, 7]], [[8, 5, 9]], [[16, 5]], [[2, 5, 3, 2, 4]]])(
  "batch normalisation that learns statistics, of %j",
  (dims) =>
    expectSame(random("x", dims), (b) => {
      const vector = (name: string, spread?: number) => b.initializer(name, random(name, [5], spread));
      const inputs = ["x", vector("scale"), vector("bias"), vector("mean"), vector("variance", 0.1)];
      const attributes = { training_mode: 1, momentum: float(0.8), epsilon: float(1e-3) };
      return b.ops("BatchNormalization", inputs, 3, attributes);
    }),
);

test.each([-1, 1, 0])("LogSoftmax along axis %d, of scores that overflow exp", (axis) =>
  expectSame(random("x", [3, 4, 5], 50), (b) => [b.op("LogSoftmax", ["x"], { axis })]),
);

test("what devices have stays", () => {
  const b = graphBuilder("test");
  b.input("x", "float32", [1, 2, 3, 3]);
  const vector = b.initializer("vector", float32([2], [1, 1]));
  b.output(b.op("BatchNormalization", ["x", vector, vector, vector, vector]));
  expect(decompose(b.build(), { device: "webgpu" }).nodes.map(({ opType }) => opType)).toEqual(["BatchNormalization"]);
});
