/** @file Nodes before a graph's input compute first, under names of their own. */

import { expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { createSession } from "../runtime/session.js";
import { graphBuilder } from "./builder.js";
import { withFront } from "./front.js";
import type { Graph } from "./graph.js";

/** y = 2·Add, with an input whose name an operator's output would take. */
function doubled(): Graph {
  const b = graphBuilder("doubled");
  const x = b.input("Add", "float32", ["n"]);
  b.output(b.op("Mul", [x, b.scalar(2)]), "float32", ["n"]);
  return b.build();
}
const input = { name: "image", type: "float32", dims: ["n"] } as const;

async function answer(graph: Graph, feeds: Readonly<Record<string, number>>): Promise<number[]> {
  const session = await createSession(graph);
  const fed = new Map(Object.entries(feeds).map(([name, value]) => [name, float32([1], [value])]));
  const values = [...(await session.run(fed)).values()].map(({ data }) => Number(data[0]));
  await session.release();
  return values;
}

test("the graph sees what the nodes before it make of the new input", async () => {
  const made = withFront(doubled(), "Add", input, (b, image) =>
    b.op("Mul", [b.op("Add", [image, b.scalar(3)]), image]),
  );
  expect(made.input).toEqual(input);
  expect(made.graph.inputs).toEqual([input]);
  expect(await answer(made.graph, { image: 5 })).toEqual([80]);
});

test("one may stand before another", async () => {
  const once = withFront(doubled(), "Add", input, (b, image) => b.op("Add", [image, b.scalar(1)]));
  const twice = withFront(once.graph, "image", { ...input, name: "outer" }, (b, image) => b.op("Neg", [image]));
  expect(await answer(twice.graph, { outer: 5 })).toEqual([-8]);
});

test("where nothing is to be done the graph keeps its input's name", async () => {
  const made = withFront(doubled(), "Add", { ...input, dims: [1] }, (_, image) => image);
  expect(made.input).toEqual({ name: "Add", type: "float32", dims: [1] });
  expect(await answer(made.graph, { Add: 5 })).toEqual([10]);
});
