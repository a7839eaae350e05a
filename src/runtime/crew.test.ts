/** @file Members of a crew compute what they are handed, all of them, again and again; what fails is told. */

import { expect, test } from "vitest";
import { graphBuilder } from "../onnx/builder.js";
import type { Graph } from "../onnx/graph.js";
import { type CrewPlan, startCrew } from "./crew.js";

/** scale · x, and the largest of it. */
function scaled(): Graph {
  const b = graphBuilder("scaled");
  const product = b.op("Mul", [b.input("x", "float32", [2]), b.input("scale", "float32", [])], {}, { name: "product" });
  b.output(product, "float32", [2]);
  b.output(b.op("ReduceMax", [product], { keepdims: 0 }, { name: "largest" }), "float32", []);
  return b.build();
}

const plan = (changes: Partial<CrewPlan> = {}): CrewPlan => ({
  graph: scaled(),
  common: new Map([["scale", []]]),
  own: new Map([["x", [2]]]),
  outputs: new Map([
    ["product", [2]],
    ["largest", []],
  ]),
  members: 2,
  threads: 1,
  ...changes,
});

test("each member has its own values, all have the common ones, and the caller works meanwhile", async () => {
  const crew = await startCrew(plan());
  try {
    for (const scale of [2, -1, 0.5]) {
      crew.common.get("scale")?.fill(scale);
      for (const [i, { own }] of crew.members.entries()) own.get("x")?.set([i + 1, 10 * (i + 1)]);
      let meanwhile = 0;
      await crew.run(async () => {
        meanwhile += 1;
      });
      expect(meanwhile).toBe(1);
      const found = crew.members.map(({ outputs }) => [...outputs].map(([name, data]) => [name, ...data]));
      expect(found).toEqual(
        [1, 2].map((x) => [
          ["product", x * scale, 10 * x * scale],
          ["largest", Math.max(x * scale, 10 * x * scale)],
        ]),
      );
    }
  } finally {
    await crew.release();
  }
});

test("a model that ONNX Runtime refuses is refused in its words", async () => {
  const b = graphBuilder("wrong");
  b.output(
    b.op("Concat", [b.input("x", "float32", [2]), b.input("scale", "float32", [])], { axis: 5 }),
    "float32",
    [2],
  );
  await expect(startCrew(plan({ graph: b.build() }))).rejects.toMatchObject({
    code: "runtime",
    message: expect.stringContaining("ONNX Runtime"),
  });
});

test("a run that fails is told, and the crew can be released", async () => {
  // Tensors of another size than the graph wants.
  const crew = await startCrew(plan({ own: new Map([["x", [3]]]) }));
  await expect(crew.run(async () => {})).rejects.toMatchObject({
    code: "runtime",
    message: expect.stringContaining("ONNX Runtime (cpu) failed"),
  });
  await crew.release();
});

test("what the caller throws meanwhile is thrown, once the members are done", async () => {
  const crew = await startCrew(plan());
  crew.common.get("scale")?.fill(3);
  for (const { own } of crew.members) own.get("x")?.set([1, 2]);
  const failing = crew.run(() => Promise.reject(new Error("mine")));
  await expect(failing).rejects.toThrow("mine");
  expect(crew.members.map(({ outputs }) => outputs.get("largest")?.[0])).toEqual([6, 6]);
  await crew.release();
});
