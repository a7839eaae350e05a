/** @file The built-in architectures: sizes, initial weights, what they refuse. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { findClassifier } from "../onnx/classifier.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { createSession } from "../runtime/session.js";
import { conv2d, maxPool2 } from "./layers.js";
import { architectures, findArchitecture, newModel } from "./registry.js";

const mnist = { channels: 1, height: 28, width: 28, classes: 10 };
const weightsOf = (model: Model): FloatTensor[] =>
  [...model.graph.initializers.values()].filter((tensor): tensor is FloatTensor => tensor.type === "float32");
const parameters = (model: Model): number => weightsOf(model).reduce((sum, { dims }) => sum + elementCount(dims), 0);

async function scores(model: Model, dims: readonly number[]): Promise<readonly number[]> {
  const session = await createSession(encodeModel(model));
  const images = float32(dims, new Float32Array(elementCount(dims)).fill(0.5));
  const found = (await session.run(new Map([["image", images]]))).get("logits");
  await session.release();
  expect(Array.from(found?.data ?? [], Number).every(Number.isFinite)).toBe(true);
  return found?.dims ?? [];
}

describe.each(architectures.map((architecture) => [architecture.id, architecture] as const))(
  "%s",
  (id, architecture) => {
    test("is found by its id", () => {
      expect(findArchitecture(id)).toBe(architecture);
    });

    test("answers any number of images, grey and colour, down to its smallest size", async () => {
      const { smallest } = architecture;
      for (const [channels, height, width, classes] of [
        [1, 28, 28, 10],
        [3, 32, 32, 7],
        [1, smallest, smallest, 2],
        [2, smallest, smallest + 5, 3],
      ] as const) {
        const model = newModel(architecture, { channels, height, width, classes }, 0);
        expect(await scores(model, [3, channels, height, width])).toEqual([3, classes]);
      }
    });

    test("refuses images that its layers leave nothing of", () => {
      const side = architecture.smallest - 1;
      expect(() => newModel(architecture, { ...mnist, height: side }, 0)).toThrow(
        expect.objectContaining({ code: "bad-data", message: expect.stringContaining(`${side}×28`) }),
      );
    });

    test("can be trained whole, and its last layer is dense", () => {
      const model = newModel(architecture, mnist, 0);
      const { trainable, lastLayer, features, note, classes } = findClassifier(model.graph);
      expect([...trainable].sort()).toEqual([...model.graph.initializers.keys()].sort());
      expect(lastLayer.length).toBe(2);
      expect(features).toContain("Relu");
      expect({ note, classes }).toEqual({ note: undefined, classes: 10 });
    });

    test("same seed, same bytes; another seed, other weights", () => {
      const hash = (seed: number): string => modelSha256(encodeModel(newModel(architecture, mnist, seed)));
      expect(hash(1)).toBe(hash(1));
      expect(hash(1)).not.toBe(hash(2));
    });
  },
);

test("sizes are the published ones", () => {
  // LeNet-5 as 6-16-120-84 with every map connected; Caffe's 20-50-500.
  expect(parameters(newModel(findArchitecture("lenet5"), mnist, 0))).toBe(61_706);
  expect(parameters(newModel(findArchitecture("lenet-caffe"), mnist, 0))).toBe(431_080);
});

test("an unknown architecture is refused as usage, naming those there are", () => {
  expect(() => findArchitecture("nonsense")).toThrow(
    expect.objectContaining({ code: "usage", hint: expect.stringContaining("lenet5") }),
  );
});

test("weights and biases are uniform in ±1/√fan_in, each layer from a stream of its own", () => {
  const model = newModel(findArchitecture("lenet5"), mnist, 0);
  for (const [layer, fanIn] of [
    ["conv1", 25],
    ["conv2", 150],
    ["fc1", 400],
    ["fc3", 84],
  ] as const) {
    for (const part of ["weight", "bias"]) {
      const { data } = model.graph.initializers.get(`${layer}.${part}`) as FloatTensor;
      const bound = 1 / Math.sqrt(fanIn);
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest, `${layer}.${part}`).toBeLessThanOrEqual(Math.fround(bound));
      if (part === "weight") expect(largest, layer).toBeGreaterThan(0.9 * bound);
    }
  }
  const alone = graphBuilder("alone");
  const x = alone.input("image", "float32", ["batch", 6, 14, 14]);
  conv2d({ b: alone, random: randomStream(0, "init") }, "conv2", x, { inputs: 6, outputs: 16, kernel: 5 });
  expect(alone.build().initializers.get("conv2.weight")).toEqual(model.graph.initializers.get("conv2.weight"));
});

test("strides and paddings of a convolution, and pooling of odd sizes, give the shapes they should", async () => {
  const b = graphBuilder("shapes");
  const context = { b, random: randomStream(0) };
  const x = b.input("image", "float32", [1, 1, 11, 11]);
  const y = conv2d(context, "c", x, { inputs: 1, outputs: 2, kernel: 3, padding: 1, stride: 2 });
  const pooled = maxPool2(context, conv2d(context, "d", x, { inputs: 1, outputs: 2, kernel: 1 }));
  for (const output of [y, pooled]) b.output(output);
  const session = await createSession(b.build());
  const found = await session.run(new Map([["image", float32([1, 1, 11, 11], new Float32Array(121))]]));
  await session.release();
  expect([found.get(y)?.dims, found.get(pooled)?.dims]).toEqual([
    [1, 2, 6, 6],
    [1, 2, 5, 5],
  ]);
});
