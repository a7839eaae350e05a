/** @file The built-in architectures: sizes, initial weights, what they refuse. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { elementCount, type FloatTensor, float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { findClassifier } from "../onnx/classifier.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { createSession } from "../runtime/session.js";
import { conv2d, maxPool2 } from "./layers.js";
import { architectures, findArchitecture, newModel, parameterCount } from "./registry.js";

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

/** Narrow ones where there is a choice: the full width is drawn for its size only. */
const tried = architectures.map(({ id, width }) => findArchitecture(id, width && 4));

describe.each(tried.map((architecture) => [architecture.id, architecture] as const))("%s", (id, architecture) => {
  test("is found by its id", () => {
    const { title, smallest, width, fromImages } = findArchitecture(id);
    expect({ title, smallest, width, fromImages }).toEqual({ ...architecture, id: undefined, build: undefined });
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
    const { trainable, statistics, lastLayer, features, note, classes } = findClassifier(model.graph);
    expect([...trainable, ...statistics].sort()).toEqual([...model.graph.initializers.keys()].sort());
    // airnet's has no bias.
    expect(lastLayer.length).toBe(id.startsWith("airnet") ? 1 : 2);
    expect(features).toMatch(/Relu|Flatten/);
    expect({ note, classes }).toEqual({ note: undefined, classes: 10 });
  });

  test("same seed, same bytes; another seed, other weights", () => {
    const hash = (seed: number): string => modelSha256(encodeModel(newModel(architecture, mnist, seed)));
    expect(hash(1)).toBe(hash(1));
    expect(hash(1)).not.toBe(hash(2));
  });
});

test("sizes are the published ones", () => {
  // LeNet-5 as 6-16-120-84 with every map connected; Caffe's 20-50-500.
  expect(parameters(newModel(findArchitecture("lenet5"), mnist, 0))).toBe(61_706);
  expect(parameters(newModel(findArchitecture("lenet-caffe"), mnist, 0))).toBe(431_080);
  // ResNet-18 with the CIFAR stem, as in the many PyTorch repositories that have it.
  const cifar = { channels: 3, height: 32, width: 32, classes: 10 };
  expect(parameterCount(findArchitecture("resnet18"), cifar)).toBe(11_173_962);
  expect(parameterCount(findArchitecture("lenet5"), mnist)).toBe(61_706);
  // LeNet-5 on 3×32×32, as PyTorch's tutorial has it but for the padding: 6·76 + 16·151 + (16·36+1)·120 + 121·84 + 850.
  expect(parameterCount(findArchitecture("lenet5"), cifar)).toBe(83_126);
  // A 3×3 convolution from a to b channels with its normalisation: (9a + 2)·b.
  const layers = [
    [3, 8],
    [8, 8],
    [8, 16],
    [16, 16],
    [16, 32],
    [32, 32],
  ] as const;
  const norms = layers.reduce((sum, [from, to]) => sum + (9 * from + 2) * to, 0);
  expect(parameterCount(findArchitecture("vgg-8"), cifar)).toBe(norms + 33 * 10);
});

test("a width is part of the id, or given beside it", () => {
  expect(findArchitecture("resnet18-64").id).toBe("resnet18");
  expect(findArchitecture("resnet18", 16).id).toBe("resnet18-16");
  expect(findArchitecture("resnet18-8", 16).id).toBe("resnet18-16");
  for (const [id, width] of [
    ["lenet5", 16],
    ["resnet18", 0],
    ["vgg", 5000],
    ["resnet18-", undefined],
  ] as const) {
    expect(() => findArchitecture(id, width)).toThrow(expect.objectContaining({ code: "usage" }));
  }
});

test("weights of a ResNet have the names and shapes they have in torchvision", () => {
  const { graph } = newModel(findArchitecture("resnet18-4"), { ...mnist, channels: 3 }, 0);
  const dims = (name: string): readonly number[] | undefined => graph.initializers.get(name)?.dims;
  expect(dims("conv1.weight")).toEqual([4, 3, 3, 3]);
  expect(dims("layer1.0.conv1.weight")).toEqual([4, 4, 3, 3]);
  expect(dims("layer2.0.downsample.0.weight")).toEqual([8, 4, 1, 1]);
  expect(dims("layer2.0.downsample.1.running_var")).toEqual([8]);
  expect(dims("layer4.1.bn2.weight")).toEqual([32]);
  expect(dims("fc.weight")).toEqual([10, 32]);
  expect(graph.nodes.map((node) => node.name)).toContain("layer1.0.conv1");
  // He et al.: variance 2 / (outputs · 9); 9216 draws estimate it to some 2 %.
  const { data } = graph.initializers.get("layer4.1.conv2.weight") as FloatTensor;
  const variance = data.reduce((sum, value) => sum + value * value, 0) / data.length;
  expect(variance / (2 / (32 * 9))).toBeCloseTo(1, 1);
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
