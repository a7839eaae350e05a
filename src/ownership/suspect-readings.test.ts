/** @file A suspect in disguise gets the plain file's verdict, and what was tried to see through it is paid for. */

import { beforeAll, describe, expect, test } from "vitest";
import { float32 } from "../core/tensor.js";
import { inMemory } from "../data/pixels.js";
import { wrapped } from "../data/testing/wrapped.js";
import { type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { withFront } from "../onnx/front.js";
import type { ValueInfo } from "../onnx/graph.js";
import { decodeModel, type Model } from "../onnx/model.js";
import { METADATA_KEY, type Preprocessing } from "../onnx/preprocessing.js";
import { plausibleReadings } from "../onnx/readings.js";
import { learnt, tinyImages } from "../training/testing/tiny.js";
import { findMark } from "../watermarks/registry.js";
import { secretOfSeed } from "./binding.js";
import { decide, triesOf } from "./decide.js";
import { drawTriggers } from "./draw-key.js";
import type { Key } from "./key.js";
import { makeKey } from "./make-key.js";
import { readSuspect } from "./suspect-readings.js";
import type { Verdict } from "./verdict.js";
import { verifyModel } from "./verify-model.js";

const SIDE = 12;
/** Enough where 2^64 secrets may have been tried. */
const TRIGGERS = 60;
const shape = { channels: 3, height: SIDE, width: SIDE };
const plainly: Preprocessing = { layout: "NCHW", range: [0, 1], mean: [0], std: [1], channelOrder: "RGB" };
let key: Key;
let marked: Model;
/** The verdict on the file that nobody disguised. */
let plain: Verdict;

beforeAll(async () => {
  const train = tinyImages(400, { channels: 3, side: SIDE, classes: 8 });
  const mark = findMark("noise").choose({ triggers: TRIGGERS, heldOut: 4 });
  const drawn = await drawTriggers(mark, { train }, secretOfSeed(3));
  key = makeKey({ mark, set: drawn.set, seed: 3, modelSha256: "ab".repeat(32), drawn });
  const { count, images, labels } = key.triggers;
  const learning = { shape, classes: 8, count, labels: Uint16Array.from(labels), pixels: inMemory(images) };
  marked = await learnt(linear(), learning, 100);
  plain = await verifyModel(marked, key);
});

/** More weights than triggers have pixels to be told apart by. */
function linear(): Model {
  const b = graphBuilder("linear");
  const x = b.op("Flatten", [b.input("image", "float32", ["N", 3, SIDE, SIDE])], { axis: 1 });
  const weight = b.initializer("w", float32([3 * SIDE * SIDE, 8], new Float32Array(3 * SIDE * SIDE * 8)));
  b.output(b.op("Gemm", [x, weight, b.initializer("b", float32([8], new Float32Array(8)))]), "float32", ["N", 8]);
  return decodeModel(encodeGraph(b.build()), "linear");
}

/** The same answers behind other outputs. */
function ending(build: (b: GraphBuilder, scores: string) => void): Model {
  const { graph } = marked;
  const b = graphBuilder("disguised", { from: graph });
  build(b, graph.outputs[0]?.name ?? "");
  return decodeModel(encodeGraph(b.build()), "disguised");
}

/** The same answers to images in another form. */
function beginning(input: Omit<ValueInfo, "name">, build: (b: GraphBuilder, x: string) => string): Model {
  const { graph } = withFront(marked.graph, "image", { ...input, name: "disguised" }, build);
  return decodeModel(encodeGraph(graph), "disguised");
}

const scores = (b: GraphBuilder, value: string, classes = 8): void => b.output(value, "float32", ["N", classes]);

const disguises: Readonly<Record<string, () => Model>> = {
  "pixels from 0 to 255": () => wrapped(marked, shape, { ...plainly, range: [0, 255] }),
  "black on white": () => wrapped(marked, shape, { ...plainly, range: [1, 0] }),
  "ImageNet's mean and deviation": () =>
    wrapped(marked, shape, { ...plainly, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }),
  BGR: () => wrapped(marked, shape, { ...plainly, channelOrder: "BGR" }),
  NHWC: () => wrapped(marked, shape, { ...plainly, layout: "NHWC" }),
  "flat, BGR, -1 to 1": () =>
    wrapped(marked, shape, { ...plainly, layout: "flat-NHWC", range: [-1, 1], channelOrder: "BGR" }),
  bytes: () =>
    beginning({ type: "uint8", dims: ["N", SIDE, SIDE, 3] }, (b, x) =>
      b.op("Transpose", [b.op("Div", [b.op("Cast", [x], { to: 1 }), b.scalar(255)])], { perm: [0, 3, 1, 2] }),
    ),
  "eight bits between (QDQ)": () =>
    beginning({ type: "float32", dims: ["N", 3, SIDE, SIDE] }, (b, x) => {
      const [step, zero] = [
        b.scalar(1 / 255),
        b.initializer("zero", { type: "uint8", dims: [], data: Uint8Array.of(0) }),
      ];
      return b.op("DequantizeLinear", [b.op("QuantizeLinear", [x, step, zero]), step, zero]);
    }),
  "labels only": () => ending((b, z) => b.output(b.op("ArgMax", [z], { axis: 1, keepdims: 0 }), "int64", ["N"])),
  "two outputs": () =>
    ending((b, z) => {
      scores(b, b.op("Softmax", [z], { axis: -1 }));
      scores(b, z);
    }),
  "one class more": () => ending((b, z) => scores(b, b.op("Pad", [z, b.ints([0, 0, 0, 1]), b.scalar(-1000)]), 9)),
  "noise on the scores": () =>
    ending((b, z) => scores(b, b.op("Add", [z, b.op("Mul", [b.op("RandomNormalLike", [z]), b.scalar(1e-3)])]))),
};

/** What the tests of a verdict amount to where so many readings were tried. */
const paid = ({ tests, triesLog2 = 0 }: Verdict, readings: number): number =>
  decide(tests, triesOf({ triesLog2, readings })).pValue;

test("the plain file is shown to be marked, and pays for its readings", async () => {
  expect(plain).toMatchObject({ owned: true, n: TRIGGERS, matches: TRIGGERS });
  const { tried } = await readSuspect(marked, key);
  expect(plain.readings).toBe(tried.length);
  expect(tried.length).toBe(plausibleReadings(marked, shape).length);
  expect(tried[0]).toMatchObject({ name: "as assumed", matches: TRIGGERS });
  const made = await verifyModel(marked, key, { madeHere: true });
  expect(made.readings).toBeUndefined();
  expect(plain.pValue).toBe(paid(plain, tried.length));
  expect(plain.pValue).toBeGreaterThan(paid(plain, 1));
});

describe("the same verdict on", () => {
  test.each(Object.entries(disguises))("%s", async (_, make) => {
    const suspect = make();
    const verdict = await verifyModel(suspect, key);
    expect(verdict).toMatchObject({ owned: true, n: TRIGGERS, matches: TRIGGERS });
    // Of readings under which all triggers are known the first is taken: placebos may be answered otherwise than under
    // the right one.
    expect(verdict.tests[0]).toEqual(plain.tests[0]);
    const { tried } = await readSuspect(suspect, key);
    expect(verdict.readings).toBe(tried.length);
    expect(verdict.pValue).toBe(paid(verdict, tried.length));
  });

  // Images are made larger and smaller again on the way, which moves scores.
  test("another size: nearly all triggers", async () => {
    const larger = beginning({ type: "float32", dims: ["N", 3, 2 * SIDE, 2 * SIDE] }, (b, x) =>
      b.op("AveragePool", [x], { kernel_shape: [2, 2], strides: [2, 2] }),
    );
    const verdict = await verifyModel(larger, key);
    expect(verdict).toMatchObject({ owned: true, n: TRIGGERS });
    expect(verdict.matches).toBeGreaterThan(TRIGGERS / 2);
  });
});

test("what a thief writes into the file is one reading among others", async () => {
  const properties = { [METADATA_KEY]: JSON.stringify({ range: [1, 0] }) };
  const lying = decodeModel(encodeGraph(marked.graph, { properties }), "lying");
  const { tried } = await readSuspect(lying, key);
  expect(tried[0]?.matches).toBe(TRIGGERS);
  expect(tried[0]).toMatchObject({ range: [0, 1] });
});
