/** @file Layers as people draw them, nothing lost, and nothing marked hidden. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { elementCount, float32, int64 } from "../../core/tensor.js";
import { findArchitecture, newModel } from "../../models/registry.js";
import { type GraphBuilder, graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { storedTensors } from "../../onnx/traverse.js";
import { vitModel } from "../../training/testing/vit.js";
import { labelOf } from "./drawing.js";
import { nodesOf, type Outline, outlineOf } from "./outline.js";
import { kernel, randomGraphs } from "./testing/random-graphs.js";

function graphOf(build: (b: GraphBuilder, image: string) => string): Graph {
  const b = graphBuilder("test");
  const image = b.input("image", "float32", ["N", 2, 4, 4]);
  b.output(build(b, image), "float32", ["N", 2]);
  return b.build();
}

const labels = (outline: Outline): readonly string[] =>
  outline.filter(({ kind }) => kind === "nodes").map((layer) => labelOf(layer));

describe("layers", () => {
  test("a convolution with its activation is one, a pool another", () => {
    const { graph } = newModel(findArchitecture("lenet5"), { channels: 1, height: 28, width: 28, classes: 10 }, 0);
    expect(labels(outlineOf(graph))).toEqual([
      "Conv 5×5 · Relu",
      "MaxPool",
      "Conv 5×5 · Relu",
      "MaxPool · Flatten",
      "Gemm · Relu",
      "Gemm · Relu",
      "Gemm · Identity",
    ]);
  });

  test("where branches meet a layer begins, with what is done to both", () => {
    const graph = graphOf((b, image) => {
      const first = b.op("Relu", [b.op("Conv", [image, kernel(b)])]);
      return b.op("Relu", [b.op("Add", [first, b.op("Conv", [first, kernel(b)])])]);
    });
    const outline = outlineOf(graph);
    expect(labels(outline)).toEqual(["Conv 1×1 · Relu", "Conv 1×1", "Add · Relu"]);
    expect(outline.map(({ inputs }) => inputs)).toEqual([[], [0], [1], [1, 2], [3]]);
  });

  test("what was exported as many nodes is one part: LayerNorm, GELU", () => {
    const { graph } = vitModel({
      ...{ batch: "dynamic", attention: "MatMul", norm: "ReduceMean", positions: "Add" },
    });
    const all = labels(outlineOf(graph)).join("\n");
    expect(all.match(/LayerNorm/g)).toHaveLength(3);
    expect(all.match(/GELU/g)).toHaveLength(1);
    expect(all).not.toMatch(/Sqrt|Erf|ReduceMean|Shape/);
  });

  test("a gate is drawn as one: its layers, and where it meets what it gates", () => {
    const graph = graphOf((b, image) => {
      const x = b.op("Conv", [image, kernel(b)]);
      const gate = b.op("Sigmoid", [b.op("Conv", [b.op("GlobalAveragePool", [x]), kernel(b)])]);
      return b.op("Mul", [x, gate]);
    });
    expect(labels(outlineOf(graph))).toEqual(["Conv 1×1", "GlobalAveragePool", "Conv 1×1 · Sigmoid", "Mul"].map(short));
  });

  test("what is marked stands alone, also where no image enters it", () => {
    const graph = graphOf((b, image) => {
      const x = b.op("Relu", [b.op("Conv", [image, kernel(b)])]);
      const bias = b.op("Neg", [b.initializer("bias", float32([1], [3]))], {}, { name: "planted" });
      return b.op("Add", [x, bias]);
    });
    const plain = outlineOf(graph);
    expect(labels(plain)).toEqual(["Conv 1×1 · Relu · Add"]);
    expect(plain[1]?.helpers.map(({ name }) => name)).toEqual(["planted"]);
    const marked = outlineOf(graph, { marked: ({ name }) => name === "planted" });
    expect(labels(marked)).toContain("Neg");
    expect(marked.filter(({ kind }) => kind === "nodes")).toHaveLength(3);
  });

  test("arithmetic on shapes serves a layer and is none", () => {
    const graph = graphOf((b, image) => {
      const x = b.op("Conv", [image, kernel(b)]);
      const rows = b.op("Gather", [b.op("Shape", [x]), b.initializer("zero", int64([1], [0]))]);
      return b.op("Reshape", [x, b.op("Concat", [rows, b.ints([-1])], { axis: 0 })]);
    });
    const outline = outlineOf(graph);
    expect(labels(outline)).toEqual(["Conv 1×1 · Reshape"]);
    expect(outline[1]?.helpers.map(({ opType }) => opType)).toEqual(["Shape", "Gather", "Concat"]);
  });
});

function short(label: string): string {
  return label.replace("GlobalAveragePool", "GlobalAvgPool");
}

test("of any graph: each node lies in one layer, each parameter counts once, and layers come after what feeds them", () => {
  fc.assert(
    fc.property(randomGraphs, fc.nat(40), (graph, chosen) => {
      const marked = graph.nodes[chosen % graph.nodes.length];
      const outline = outlineOf(graph, { marked: (node) => node === marked });
      const nodes = outline.flatMap((layer) => [...nodesOf(layer), ...layer.helpers]);
      expect(nodes.toSorted(byName)).toEqual(graph.nodes.toSorted(byName));
      expect(outline.find((layer) => nodesOf(layer).some((node) => node === marked))?.parts).toHaveLength(1);
      const size = [...storedTensors(graph).values()].reduce((sum, { dims }) => sum + elementCount(dims), 0);
      expect(outline.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(size);
      for (const [index, { inputs }] of outline.entries()) for (const from of inputs) expect(from).toBeLessThan(index);
    }),
  );
});

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}
