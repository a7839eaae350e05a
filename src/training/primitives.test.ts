/** @file Gradients find the layers that they belong to. */

import { expect, test } from "vitest";
import { WILDMARK_DOMAIN } from "../autodiff/primitives.js";
import { findArchitecture, newModel } from "../models/registry.js";
import { kernelChoices } from "../runtime/lowering/index.js";
import { targetOf } from "../runtime/autotuning/identity.js";
import { standsAlone } from "../runtime/autotuning/lone-node.js";
import { gradientGraph, layerOf } from "./primitives.js";

test(
  "every convolution of a ResNet has one gradient to its kernel and, but for the first, one to " + "its input",
  async () => {
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
  },
);

test("whatever a network has several lowerings for can be measured", async () => {
  const shape = { channels: 1, height: 28, width: 28 };
  const found = new Set<string>();
  for (const id of ["lenet5", "resnet18-4", "vgg-4"]) {
    const graph = await gradientGraph(newModel(findArchitecture(id), { ...shape, classes: 10 }, 0), shape, 2);
    for (const device of ["cpu", "webgpu"] as const) {
      const { block } = await targetOf({ device });
      for (const { node, candidates } of kernelChoices(graph, { device, ...(block === undefined ? {} : { block }) })) {
        if (candidates.length === 1) continue;
        expect(standsAlone(node), node.opType).toBe(true);
        found.add(node.opType);
      }
    }
  }
  expect([...found].toSorted()).toEqual(["Conv", "ConvGradInput", "ConvGradWeight", "MaxPoolGrad"]);
});
