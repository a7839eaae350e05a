/** @file Whitening: what the kernels answer on patches of the images that they were made from. */

import { expect, test } from "vitest";
import { at } from "../core/lists.js";
import { randomStream } from "../core/random.js";
import { elementCount, float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { createSession } from "../runtime/session.js";
import { findArchitecture, newModel } from "./registry.js";
import { whitening } from "./whitening.js";

/** Smooth noise whose channels go together, as in photographs. */
function photographs(dims: readonly [number, number, number, number]): Float32Array {
  const [count, channels, height, width] = dims;
  const random = randomStream(5, "photographs");
  const pixels = new Float32Array(elementCount(dims));
  for (let image = 0; image < count; image++) {
    const [a, b, c] = [random.normal(), random.normal(), random.normal()];
    for (let channel = 0; channel < channels; channel++) {
      for (let i = 0; i < height * width; i++) {
        const [row, column] = [Math.floor(i / width), i % width];
        const value = 0.4 + 0.1 * Math.sin(a * row + b * column + c) + 0.05 * channel + 0.03 * random.normal();
        pixels[(image * channels + channel) * height * width + i] = value;
      }
    }
  }
  return pixels;
}

test.each([1, 3])(
  "%i channel(s): answers have mean 0, variance 1 and nothing in common; then their negatives",
  async (channels) => {
    const dims = [40, channels, 12, 12] as const;
    const pixels = photographs([...dims]);
    const { kernels, shift } = whitening({ pixels, dims: [...dims] }, 2);
    const n = 4 * channels;
    expect(kernels.dims).toEqual([2 * n, channels, 2, 2]);
    const half = kernels.data.length / 2;
    expect([...kernels.data.subarray(half)]).toEqual([...kernels.data.subarray(0, half)].map((value) => -value));

    const b = graphBuilder("whitening");
    const x = b.input("x", "float32", [...dims]);
    b.output(b.op("Conv", [x, b.initializer("w", kernels), b.initializer("b", shift)], {}, { name: "y" }));
    const session = await createSession(b.build());
    const answer = (await session.run(new Map([["x", float32([...dims], pixels)]]))).get("y");
    await session.release();
    const plane = 121;
    const of = (filter: number): number[] =>
      Array.from({ length: dims[0] }, (_, image) => image).flatMap((image) => {
        const start = (image * 2 * n + filter) * plane;
        return Array.from({ length: plane }, (_, i) => Number(answer?.data[start + i]));
      });
    const answers = Array.from({ length: n }, (_, filter) => of(filter));
    const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
    for (const [i, one] of answers.entries()) {
      expect(Math.abs(mean(one))).toBeLessThan(0.3);
      for (const [j, other] of answers.entries()) {
        // Second moments: exactly what the eigenvectors make diagonal; ε leaves a little less than 1.
        const moment = mean(one.map((value, k) => value * at(other, k)));
        if (i === j) expect(moment).toBeGreaterThan(0.9);
        expect(moment).toBeLessThan(i === j ? 1.001 : 1e-3);
      }
    }
  },
);

test("images all alike are whitened without dividing by nothing", () => {
  const { kernels, shift } = whitening({ pixels: new Float32Array(2 * 16).fill(0.5), dims: [2, 1, 4, 4] }, 2);
  expect([...kernels.data, ...shift.data].every(Number.isFinite)).toBe(true);
});

test("an architecture starts from images where it is given some", () => {
  const airnet = findArchitecture("airnet-4");
  const input = { channels: 3, height: 12, width: 12, classes: 4 };
  const asked: number[] = [];
  const first = (most: number): Float32Array => {
    asked.push(most);
    return photographs([40, 3, 12, 12]);
  };
  const [drawn, started] = [newModel(airnet, input, 0), newModel(airnet, input, 0, first)];
  expect(asked).toEqual([5000]);
  const { kernels } = whitening({ pixels: photographs([40, 3, 12, 12]), dims: [40, 3, 12, 12] }, 2);
  expect(started.graph.initializers.get("whiten.weight")).toEqual(kernels);
  for (const [name, tensor] of drawn.graph.initializers) {
    if (!name.startsWith("whiten.")) expect(started.graph.initializers.get(name)).toEqual(tensor);
  }
});
