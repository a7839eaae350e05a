/** @file Workers of a pool compute what they are handed, all of them, again and again; what fails is told. */

import { expect, test } from "vitest";
import { graphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { type PoolPlan, startWorkerPool } from "./worker-pool.js";

/** scale · x, and the largest of it. */
function scaled(): Graph {
  const b = graphBuilder("scaled");
  const product = b.op("Mul", [b.input("x", "float32", [2]), b.input("scale", "float32", [])], {}, { name: "product" });
  b.output(product, "float32", [2]);
  b.output(b.op("ReduceMax", [product], { keepdims: 0 }, { name: "largest" }), "float32", []);
  return b.build();
}

const plan = (changes: Partial<PoolPlan> = {}): PoolPlan => ({
  graph: scaled(),
  common: new Map([["scale", []]]),
  own: new Map([["x", [2]]]),
  outputs: new Map([
    ["product", [2]],
    ["largest", []],
  ]),
  workers: 2,
  threads: 1,
  ...changes,
});

test("each worker has its own values, all have the common ones, and the caller works meanwhile", async () => {
  const pool = await startWorkerPool(plan());
  try {
    for (const scale of [2, -1, 0.5]) {
      pool.common.get("scale")?.fill(scale);
      for (const [i, { own }] of pool.workers.entries()) own.get("x")?.set([i + 1, 10 * (i + 1)]);
      let meanwhile = 0;
      await pool.run(async () => {
        meanwhile += 1;
      });
      expect(meanwhile).toBe(1);
      const found = pool.workers.map(({ outputs }) => [...outputs].map(([name, data]) => [name, ...data]));
      expect(found).toEqual(
        [1, 2].map((x) => [
          ["product", x * scale, 10 * x * scale],
          ["largest", Math.max(x * scale, 10 * x * scale)],
        ]),
      );
    }
  } finally {
    await pool.release();
  }
});

test("a model that ONNX Runtime refuses is refused in its words", async () => {
  const b = graphBuilder("wrong");
  b.output(
    b.op("Concat", [b.input("x", "float32", [2]), b.input("scale", "float32", [])], { axis: 5 }),
    "float32",
    [2],
  );
  await expect(startWorkerPool(plan({ graph: b.build() }))).rejects.toMatchObject({
    code: "runtime",
    message: expect.stringContaining("ONNX Runtime"),
  });
});

test("a run that fails is told, and the pool can be released", async () => {
  // Tensors of another size than the graph wants.
  const pool = await startWorkerPool(plan({ own: new Map([["x", [3]]]) }));
  await expect(pool.run(async () => {})).rejects.toMatchObject({
    code: "runtime",
    message: expect.stringContaining("ONNX Runtime (cpu) failed"),
  });
  await pool.release();
});

test("what the caller throws meanwhile is thrown, once the workers are done", async () => {
  const pool = await startWorkerPool(plan());
  pool.common.get("scale")?.fill(3);
  for (const { own } of pool.workers) own.get("x")?.set([1, 2]);
  const failing = pool.run(() => Promise.reject(new Error("mine")));
  await expect(failing).rejects.toThrow("mine");
  expect(pool.workers.map(({ outputs }) => outputs.get("largest")?.[0])).toEqual([6, 6]);
  await pool.release();
});
