/**
 * @file A colour model of 16-bit floats, channels last, for one image at a time: marked and attacked from a node on.
 */

import { expect, test } from "vitest";
import { randomStream } from "../src/core/random.js";
import { elementCount, int64, type Tensor, toNumbers } from "../src/core/tensor.js";
import { accuracy } from "../src/data/answers.js";
import { graphBuilder } from "../src/onnx/builder.js";
import { encodeGraph } from "../src/onnx/encode.js";
import { decodeModel, type Model } from "../src/onnx/model.js";
import { storedTensors } from "../src/onnx/traverse.js";
import { findMethod } from "../src/removal/registry.js";
import type { Stage } from "../src/removal/method.js";
import { tinyImages } from "../src/training/testing/tiny.js";
import { embed, embedContinuingOptions } from "../src/watermarks/embed.js";

const colour = { channels: 3, side: 8, classes: 4 };
const train = tinyImages(96, colour);
const triggers = tinyImages(8, { ...colour, seed: 9 });

/** Numbers of either sign between 1/16 and 1/8. */
function halves(...dims: number[]): Tensor {
  const random = randomStream(0, "halves", String(dims));
  const bits = (): number => 0x2c00 + random.below(0x400) + 0x8000 * random.below(2);
  return { type: "float16", dims, data: Uint16Array.from({ length: elementCount(dims) }, bits) };
}

/** Transpose → Conv → Relu → times ones as an Expand makes them → Reshape → MatMul, all for a batch of one. */
function model(): Model {
  const b = graphBuilder("half");
  const x = b.op("Transpose", [b.input("x", "float16", [1, 8, 8, 3])], { perm: [0, 3, 1, 2] });
  const conv = b.op("Relu", [b.op("Conv", [x, b.initializer("kernel", halves(4, 3, 3, 3))], { pads: [1, 1, 1, 1] })]);
  const one: Tensor = { type: "float16", dims: [], data: Uint16Array.of(0x3c00) };
  const ones = b.op("Expand", [b.initializer("one", one), b.initializer("sizes", int64([4], [1, 1, 1, 1]))]);
  const flat = b.op("Reshape", [b.op("Mul", [conv, ones]), b.initializer("target", int64([2], [1, 256]))]);
  b.output(b.op("MatMul", [flat, b.initializer("weight", halves(256, 4))], {}, { name: "head" }), "float16", [1, 4]);
  return decodeModel(encodeGraph(b.build()), "half.onnx");
}

async function last(epochs: AsyncIterable<Stage>): Promise<Model> {
  let found: Model | undefined;
  for await (const epoch of epochs) found = epoch.model();
  if (found === undefined) throw new Error("no epoch");
  return found;
}

const bytesOf = (of: Model, name: string): Buffer => {
  const { data } = storedTensors(of.graph).get(name) ?? {};
  if (data === undefined) throw new Error(`no "${name}"`);
  return Buffer.from(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
};

test("learns and is attacked from its head on, what comes before it byte for byte the same", async () => {
  const given = model();
  expect(given.notes).toEqual([expect.stringMatching(/16-bit floats; they were converted to float32/)]);
  const start = { model: given, train, triggers, random: randomStream(1), trainFrom: "head" };
  const options = embedContinuingOptions.parse({ batch: 16, clipNorm: 0.5, learningRate: 0.02, epochs: 12 });
  const marked = await last(embed(start, options));
  expect(await accuracy(marked, train)).toBeGreaterThan(0.9); // 0.25 is chance
  expect(bytesOf(marked, "kernel").equals(bytesOf(given, "kernel"))).toBe(true);
  expect(bytesOf(marked, "weight").equals(bytesOf(given, "weight"))).toBe(false);

  for (const id of ["wild", "scratch"]) {
    const method = findMethod(id).choose({ epochs: 2, batch: 16, learningRate: 0.02, clipNorm: 1 });
    const cleaned = await last(
      method.run({ model: marked, subset: train, random: randomStream(2), trainFrom: "head" }),
    );
    expect(bytesOf(cleaned, "kernel").equals(bytesOf(given, "kernel")), id).toBe(true);
    expect(bytesOf(cleaned, "weight").equals(bytesOf(marked, "weight")), id).toBe(false);
  }
});

function weightOf(of: Model): number[] {
  const weight = storedTensors(of.graph).get("weight");
  if (weight === undefined) throw new Error("no weight");
  return toNumbers(weight);
}

test("a shorter gradient moves the weights less", async () => {
  const moved = async (clipNorm: number): Promise<number> => {
    const given = model();
    const start = { model: given, train, triggers, random: randomStream(1) };
    const options = embedContinuingOptions.parse({ batch: 16, clipNorm, epochs: 1, weightDecay: 0 });
    const after = weightOf(await last(embed(start, options)));
    const before = weightOf(given);
    return Math.hypot(...after.map((value, i) => value - (before[i] ?? Number.NaN)));
  };
  const short = await moved(1e-3);
  // 6 steps of at most 1e-3 at rate 0.01 and below, carried on by momentum 0.9: ten times each at most.
  expect(short).toBeLessThan(6 * 1e-3 * 0.01 * 10);
  expect(short).toBeGreaterThan(0);
  expect(await moved(0)).toBeGreaterThan(10 * short);
});
