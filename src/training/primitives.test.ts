/** @file Gradients find the layers that they belong to. */

import { expect, test } from "vitest";
import { WILDMARK_DOMAIN } from "../autodiff/primitives.js";
import { findArchitecture, newModel } from "../models/registry.js";
import { gradientGraph, layerOf } from "./primitives.js";

test("every convolution of a ResNet has one gradient to its kernel and, but for the first, one to its input", async () => {
  const shape = { channels: 3, height: 8, width: 8 };
  const model = newModel(findArchitecture("resnet18-4"), { ...shape, classes: 10 }, 0);
  const graph = await gradientGraph(model, shape, 2);
  const layers = (operator: string): string[] =>
    graph.nodes
      .filter(({ domain, opType }) => domain === WILDMARK_DOMAIN && opType === operator)
      .map((node) => layerOf(graph, node));
  // Two convolutions read the same value where the shortcut has one of its own.
  const kernels = model.graph.nodes.filter(({ opType }) => opType === "Conv").map(({ inputs }) => inputs[1] ?? "");
  expect(kernels).toHaveLength(20);
  expect(layers("ConvGradWeight").toSorted()).toEqual(kernels.toSorted());
  expect(layers("ConvGradInput").toSorted()).toEqual(kernels.slice(1).toSorted());
});
