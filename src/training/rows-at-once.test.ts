/** @file Models that take much memory an image are asked fewer images at once, and so are those that fail at many. */

import { describe, expect, test } from "vitest";
import { WildmarkError } from "../core/errors.js";
import { float32 } from "../core/tensor.js";
import { graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { imageGraph } from "../onnx/image-graph.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { isOutOfMemory } from "../runtime/onnxruntime.js";
import { predict } from "./evaluate.js";
import { inChunks, isLarge, liveBytes, rowsThatFit } from "./rows-at-once.js";

const shape = { channels: 1, height: 32, width: 32 };
const HEADS = 8;
/** Of one matrix of attention: each of 1,024 positions looks at each, in 8 heads. */
const ATTENTION = HEADS * 1024 * 1024 * 4;

/** A few weights, for one image at a time, and attention that takes 64 MiB an image. */
function attention(): Model {
  const b = graphBuilder("attention");
  const tokens = b.op("Reshape", [b.input("x", "float32", [1, 1, 32, 32]), b.ints([1, 1, 1024, 1])]);
  const of = (name: string) => {
    const values = Float32Array.from({ length: HEADS * 4 }, (_, i) => Math.sin(i + name.length));
    return b.op("MatMul", [tokens, b.initializer(name, float32([1, HEADS, 1, 4], values))]);
  };
  const keys = b.op("Transpose", [of("key")], { perm: [0, 1, 3, 2] });
  const looks = b.op("Softmax", [b.op("MatMul", [of("query"), keys])], { axis: -1 });
  const seen = b.op("ReduceMean", [b.op("MatMul", [looks, of("value's")]), b.ints([2])], { keepdims: 0 });
  const rows = b.op("Reshape", [seen, b.ints([1, HEADS * 4])], { allowzero: 1 });
  const head = Float32Array.from({ length: HEADS * 4 * 3 }, (_, i) => Math.cos(7 * i));
  b.output(b.op("MatMul", [rows, b.initializer("head", float32([HEADS * 4, 3], head))]), "float32", [1, 3]);
  return decodeModel(encodeGraph(b.build()), "attention.onnx");
}

test("a file of some hundred weights that would take gigabytes is asked as many images as fit into one", async () => {
  const model = attention();
  const sizes: number[] = [];
  const pack = (from: number, count: number, target: Float32Array): void => {
    sizes.push(count);
    for (let i = 0; i < target.length; i++) target[i] = Math.abs(Math.sin(from + i));
  };
  const answers = await predict(model, { shape, count: 20, pack });
  expect(answers.length).toBe(20);
  // Two matrices of attention live at once, and little beside them.
  expect(Math.max(...sizes)).toBe(Math.floor(2 ** 30 / (2 * ATTENTION + 2 ** 17)));
});

test("what lives at once: a value from the node that makes it to its last reader", async () => {
  const { graph, classifier } = imageGraph(attention(), shape);
  const one = float32([1, 1, 32, 32], new Float32Array(1024));
  const bytes = await liveBytes(graph, new Map([[classifier.input.name, one]]), {});
  expect(bytes).toBeGreaterThan(2 * ATTENTION);
  expect(bytes).toBeLessThan(2 * ATTENTION + 2 ** 19);
});

test("how many fit: up to a gibibyte, at least one", () => {
  expect(rowsThatFit(2 ** 22, 250)).toBe(250);
  expect(rowsThatFit(2 ** 25, 250)).toBe(32);
  expect(rowsThatFit(2 ** 33, 250)).toBe(1);
  expect(rowsThatFit(0, 250)).toBe(250);
  expect([isLarge(2 ** 22, 250), isLarge(2 ** 23, 250)]).toEqual([false, true]);
});

describe("a run that fails is tried with half as many", () => {
  const failing = async (limit: number, error: Error): Promise<number[]> => {
    const done: number[] = [];
    await inChunks(20, 8, async (from, size) => {
      if (size > limit) throw error;
      expect(from).toBe(done.reduce((sum, each) => sum + each, 0));
      done.push(size);
    });
    return done;
  };
  const full = new WildmarkError("runtime", "ONNX Runtime (cpu) failed: Failed to allocate memory for buffer");

  test("until it fits, and then so on", async () => {
    expect(await failing(8, full)).toEqual([8, 8, 4]);
    expect(await failing(3, full)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
    expect(await failing(1, new RangeError("Array buffer allocation failed"))).toEqual(new Array(20).fill(1));
    const wrapped = new WildmarkError("bad-model", "The model cannot be asked several images at once", { cause: full });
    expect(await failing(4, wrapped)).toEqual([4, 4, 4, 4, 4]);
  });

  test("but not where one image fails too, or where fewer would not help", async () => {
    await expect(failing(0, full)).rejects.toBe(full);
    const nan = new WildmarkError("numeric", "The model answers NaN");
    await expect(failing(4, nan)).rejects.toBe(nan);
  });
});

test("how runtimes say that there is no memory", () => {
  for (const message of [
    "std::bad_alloc",
    "Failed to allocate memory for requested buffer of size 9",
    "Out of memory",
  ]) {
    expect(isOutOfMemory(new Error(message))).toBe(true);
    expect(isOutOfMemory(new WildmarkError("runtime", "failed", { cause: new Error(message) }))).toBe(true);
  }
  expect(isOutOfMemory(new Error("The input tensor cannot be reshaped"))).toBe(false);
});
