/** @file Deep networks as chains of units, and which of them only repeat what stands above. */

import { expect, test } from "vitest";
import { findArchitecture, newModel } from "../../models/registry.js";
import { graphBuilder } from "../../onnx/builder.js";
import type { Graph } from "../../onnx/graph.js";
import { outlineOf } from "./outline.js";
import { kernel } from "./testing/random-graphs.js";
import { runsOf, unitsOf } from "./units.js";

/** Residual blocks of four convolutions. */
function residual(blocks: number): Graph {
  const b = graphBuilder("blocks");
  let x = b.input("image", "float32", ["N", 2, 4, 4]);
  for (let block = 0; block < blocks; block++) {
    let y = x;
    for (let i = 0; i < 4; i++) y = b.op("Relu", [b.op("Conv", [y, kernel(b)])]);
    x = b.op("Add", [x, y]);
  }
  b.output(b.op("GlobalAveragePool", [x]), "float32");
  return b.build();
}

test("a ResNet is a chain of blocks", () => {
  const { graph } = newModel(findArchitecture("resnet18-16"), { channels: 3, height: 32, width: 32, classes: 10 }, 0);
  const outline = outlineOf(graph);
  const units = unitsOf(outline);
  expect(units.flat()).toEqual([...outline.keys()]);
  // Two blocks a stage: in the first of all but one, the shortcut has a layer of its own.
  expect(units.filter(({ length }) => length > 1).map(({ length }) => length)).toEqual([3, 3, 4, 3, 4, 3, 4, 3]);
});

test("copies are folded, and each layer is drawn or folded", () => {
  const outline = outlineOf(residual(12));
  const runs = runsOf(outline, unitsOf(outline));
  expect(runs.filter(({ times }) => times > 1)).toMatchObject([{ times: 12 }]);
  expect(runs.flatMap(({ units, others }) => [...units.flat(), ...others])).toEqual([...outline.keys()]);
});

test("a marked layer is never folded away", () => {
  const outline = outlineOf(residual(12));
  const marked = 33;
  const runs = runsOf(outline, unitsOf(outline), (index) => index === marked);
  expect(runs.flatMap(({ units }) => units.flat())).toContain(marked);
  expect(runs.filter(({ times }) => times > 1).map(({ times }) => times)).toEqual([6, 5]);
});

test("what saves little is drawn", () => {
  const outline = outlineOf(residual(2));
  expect(runsOf(outline, unitsOf(outline)).every(({ times }) => times === 1)).toBe(true);
});
