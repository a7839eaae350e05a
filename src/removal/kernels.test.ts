/** @file Rounded and pruned weights: how many values are left, which weights go, and what stays as it is. */

import { describe, expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { type FloatTensor, float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { storedTensors } from "../onnx/traverse.js";
import { tinyImages, tinyModel } from "../training/testing/tiny.js";
import { findMethod } from "./registry.js";

async function changed(
  id: string,
  options: Readonly<Record<string, unknown>>,
  model: Model = tinyModel({ batchNorm: true }),
): Promise<(name: string) => FloatTensor> {
  let last = model;
  const attack = { model, subset: tinyImages(4), random: randomStream(0) };
  for await (const stage of findMethod(id).choose(options).run(attack)) last = stage.model();
  return (name) => floats(last, name);
}

function floats(model: Model, name: string): FloatTensor {
  const tensor = storedTensors(model.graph).get(name);
  if (tensor?.type !== "float32") throw new Error(`no ${name}`);
  return tensor;
}

const KERNELS = ["conv.weight", "fc1.weight", "fc2.weight"];
const given = tinyModel({ batchNorm: true });
const sizes = (data: Float32Array): number[] => Array.from(data, Math.abs);
const others = [...storedTensors(given.graph)].flatMap(([name, { type }]) =>
  type === "float32" && !KERNELS.includes(name) ? [name] : [],
);

describe("quantisation", () => {
  test.each([2, 3, 8])("to %d bits: at most 2^b − 1 values a tensor, each within half a step", async (bits) => {
    const cleaned = await changed("quantisation", { bits, granularity: "tensor" });
    for (const name of KERNELS) {
      const [before, now] = [floats(given, name).data, cleaned(name).data];
      expect(new Set(now).size, name).toBeLessThanOrEqual(2 ** bits - 1);
      const step = Math.max(...sizes(before)) / (2 ** (bits - 1) - 1);
      // Half a step, and float32's rounding of the product.
      now.forEach((value, i) => {
        expect(Math.abs(value - (before[i] ?? 0))).toBeLessThan(0.5001 * step);
      });
      expect(Math.max(...sizes(now))).toBeCloseTo(Math.max(...sizes(before)), 6);
    }
    for (const name of others) expect(cleaned(name).data, name).toEqual(floats(given, name).data);
  });

  test("by channel, each output unit has a step of its own", async () => {
    const cleaned = await changed("quantisation", { bits: 2 });
    for (const name of KERNELS) {
      const { dims, data } = cleaned(name);
      const inner = data.length / (dims[0] ?? 1);
      for (let unit = 0; unit < (dims[0] ?? 0); unit++) {
        const row = data.subarray(unit * inner, (unit + 1) * inner);
        expect(new Set(row).size, name).toBeLessThanOrEqual(3);
        const largest = Math.max(...sizes(floats(given, name).data.subarray(unit * inner, (unit + 1) * inner)));
        expect(Math.max(...sizes(row)), name).toBeCloseTo(largest, 6);
      }
      expect(new Set(sizes(data)).size, name).toBeGreaterThan(2);
    }
  });

  test("the channel is the output unit where it is the kernel's last axis, too", async () => {
    const b = graphBuilder("dense");
    const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 2, 2])], { axis: 1 });
    const kernel = b.initializer("kernel", float32([4, 2], [1, 100, 0.5, 30, -0.2, -70, 0.9, 10]));
    b.output(b.op("MatMul", [x, kernel]), "float32", ["batch", 2]);
    const model = decodeModel(encodeGraph(b.build()), "dense");
    const cleaned = await changed("quantisation", { bits: 2 }, model);
    expect([...cleaned("kernel").data]).toEqual([1, 100, 1, 0, 0, -100, 1, 0]);
  });

  test("a channel of zeros stays one", async () => {
    const b = graphBuilder("dense");
    const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 1, 2])], { axis: 1 });
    b.output(b.op("MatMul", [x, b.initializer("kernel", float32([2, 2], [0, 1, 0, -1]))]), "float32", ["batch", 2]);
    const cleaned = await changed("quantisation", {}, decodeModel(encodeGraph(b.build()), "dense"));
    expect([...cleaned("kernel").data]).toEqual([0, 1, 0, -1]);
  });
});

describe("magnitude pruning", () => {
  test.each([0.1, 0.5, 0.9])("the smallest %d of each layer become zero, the others stay to the bit", async (share) => {
    const cleaned = await changed("magnitude-pruning", { sparsity: share });
    for (const name of KERNELS) {
      const [before, now] = [floats(given, name).data, cleaned(name).data];
      const gone = Array.from(now.keys()).filter((i) => now[i] === 0);
      expect(gone.length, name).toBe(Math.round(share * now.length));
      const largestGone = Math.max(...gone.map((i) => Math.abs(before[i] ?? 0)));
      now.forEach((value, i) => {
        if (value !== 0) expect(value).toBe(before[i]);
        if (value !== 0) expect(Math.abs(value)).toBeGreaterThanOrEqual(largestGone);
      });
    }
    for (const name of others) expect(cleaned(name).data, name).toEqual(floats(given, name).data);
  });

  test("over all layers together, the share holds for all: small kernels keep what they are small in", async () => {
    const cleaned = await changed("magnitude-pruning", { sparsity: 0.5, scope: "global" });
    const zeros = KERNELS.map((name) => cleaned(name).data.filter((value) => value === 0).length);
    const counts = KERNELS.map((name) => floats(given, name).data.length);
    const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
    expect(sum(zeros)).toBe(Math.round(0.5 * sum(counts)));
    expect(zeros.some((zero, i) => zero !== Math.round(0.5 * (counts[i] ?? 0)))).toBe(true);
  });

  test("of equal weights, as many go as are wanted", async () => {
    const b = graphBuilder("equal");
    const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 1, 2])], { axis: 1 });
    b.output(b.op("MatMul", [x, b.initializer("kernel", float32([2, 2], [1, -1, 1, -1]))]), "float32", ["batch", 2]);
    const cleaned = await changed("magnitude-pruning", { sparsity: 0.5 }, decodeModel(encodeGraph(b.build()), "equal"));
    expect([...cleaned("kernel").data]).toEqual([0, 0, 1, -1]);
  });
});
