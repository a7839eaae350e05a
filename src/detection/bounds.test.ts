/** @file What every value is said to lie between is what it lies between. */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { toNumbers } from "../core/tensor.js";
import { boundsOf } from "./bounds.js";
import { structureOf } from "./inspection.js";
import { noiseImages, wakingImages } from "./probes.js";
import { openFront, openValues } from "./running.js";
import { innocents } from "./testing/innocent.js";
import { plantedModels } from "./testing/planting.js";
import { digits } from "./testing/trained.js";
import { findArchitecture, newModel } from "../models/registry.js";

test("for noise, plain images and patches, in planted graphs and innocent ones", async () => {
  const { shape, classes } = digits;
  const clean = newModel(findArchitecture("cnn-2"), { ...shape, classes }, 1);
  const planted = plantedModels(clean).map(({ name, model }) => ({ name, model, shape }));
  const graphs = [...planted, ...innocents().filter((_, i) => i % 3 === 0)];
  let [proven, tight] = [0, 0];
  for (const { name, model, shape: images } of graphs) {
    const { whole, flow } = structureOf({ model, shape: images });
    const wanted = flow.graph.nodes.flatMap(({ outputs }) => outputs).filter((value) => flow.image.has(value));
    const front = await openFront(model, images);
    const opened = await openValues(
      whole.proto,
      flow.input,
      wanted.filter((value) => !whole.inner.has(value)),
    );
    const probes = [...noiseImages(images, 2, randomStream(1)), ...wakingImages(images).slice(0, 8)];
    for (const [i, image] of probes.entries()) {
      const values = await opened.run(await front.feed(image));
      const dims = new Map([...values].map(([value, tensor]) => [value, tensor.dims]));
      if (i > 0 && i < probes.length - 1) continue;
      const bounds = boundsOf(flow.graph, { input: flow.input, range: { low: 0, high: 1 }, dims });
      for (const [value, tensor] of values) {
        const { low, high } = bounds.get(value) ?? { low: Number.NaN, high: Number.NaN };
        if (low === high) proven++;
        if (Number.isFinite(high - low)) tight++;
        // Of float32 sums: a little more than nothing.
        const slack = Number.isFinite(high - low) ? 1e-4 * Math.max(1, Math.abs(low), Math.abs(high)) : 1e-4;
        const numbers = toNumbers(tensor).filter((each) => !Number.isNaN(each));
        const [least, most] = [
          numbers.reduce((a, b) => Math.min(a, b), Infinity),
          numbers.reduce((a, b) => Math.max(a, b), -Infinity),
        ];
        expect.soft(least >= low - slack && most <= high + slack, `${name}: ${value}, ${low} to ${high}`).toBe(true);
      }
    }
    await opened.release();
    await front.release();
  }
  expect(proven).toBeGreaterThan(10);
  expect(tight).toBeGreaterThan(500);
});
