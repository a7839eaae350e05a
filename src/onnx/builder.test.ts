import { expect, test } from "vitest";
import { graphBuilder } from "./builder.js";

test("new nodes share no name with the values or the nodes of the graph they join", () => {
  const from = graphBuilder("from");
  const x = from.input("x", "float32", [1]);
  from.append({ name: "Relu_1", opType: "Relu", domain: "", inputs: [x], outputs: ["Relu"], attributes: {} });
  const b = graphBuilder("joined", { from: from.build() });
  expect(b.op("Relu", ["Relu"])).toBe("Relu_2");
  b.append({ name: "Relu_2", opType: "Relu", domain: "", inputs: [x], outputs: ["y"], attributes: {} });
  expect(b.build().nodes.map(({ name }) => name)).toEqual(["Relu_1", "Relu_2", ""]);
});
