/** @file Small networks made by hand, of which it is known which class stands out. */

import { randomStream } from "../../core/random.js";
import { float32 } from "../../core/tensor.js";
import { graphBuilder } from "../../onnx/builder.js";
import { encodeGraph } from "../../onnx/encode.js";
import { decodeModel, type Model } from "../../onnx/model.js";
import type { Subject } from "../detector.js";

export const CLASSES = 6;
/** 1×4×4 pixels. */
const PIXELS = 16;
export const HIDDEN = 12;

export interface Rows {
  /** [classes][HIDDEN] */
  readonly weights: readonly (readonly number[])[];
  readonly bias: readonly number[];
}

/** Last layers drawn at random, so that no class stands out by much. */
export function evenRows(seed: number): Rows {
  const random = randomStream(seed, "rows");
  const weights = Array.from({ length: CLASSES }, () => Array.from({ length: HIDDEN }, () => random.normal()));
  return { weights, bias: weights.map(() => 0) };
}

/** The same with the rows of a class replaced. */
export function withRow(
  rows: Rows,
  label: number,
  row: (weights: readonly number[]) => readonly number[],
  bias = 0,
): Rows {
  return {
    weights: rows.weights.map((each, i) => (i === label ? row(each) : each)),
    bias: rows.bias.map((each, i) => (i === label ? bias : each)),
  };
}

/** The same with its classes called otherwise: class i becomes `order[i]`. */
export function renamed(rows: Rows, order: readonly number[]): Rows {
  const from = (label: number): number => order.indexOf(label);
  return {
    weights: rows.weights.map((_, i) => rows.weights[from(i)] ?? []),
    bias: rows.bias.map((_, i) => rows.bias[from(i)] ?? 0),
  };
}

/** Flatten, dense, ReLU, dense: the first layer is always the same. */
export function network({ weights, bias }: Rows): Model {
  const random = randomStream(1, "first layer");
  const b = graphBuilder("planted");
  const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 4, 4])], { axis: 1 });
  const first = Array.from({ length: HIDDEN * PIXELS }, () => random.normal() / 4);
  const kernel = b.initializer("fc1.weight", float32([HIDDEN, PIXELS], first));
  const offset = b.initializer("fc1.bias", float32([HIDDEN], new Float32Array(HIDDEN)));
  const hidden = b.op("Relu", [b.op("Gemm", [x, kernel, offset], { transB: 1 })]);
  const last = b.initializer("fc2.weight", float32([bias.length, HIDDEN], weights.flat()));
  const scores = b.op("Gemm", [hidden, last, b.initializer("fc2.bias", float32([bias.length], [...bias]))], {
    transB: 1,
  });
  b.output(scores, "float32", ["batch", bias.length]);
  return decodeModel(encodeGraph(b.build()), "planted");
}

/** Scores that are each one pixel, times a factor: z_t = factor_t · x_t. */
export function pixelScores(factors: readonly number[]): Model {
  const b = graphBuilder("pixels");
  const x = b.op("Flatten", [b.input("image", "float32", ["batch", 1, 4, 4])], { axis: 1 });
  const kernel = factors.flatMap((factor, i) => Array.from({ length: PIXELS }, (_, at) => (at === i ? factor : 0)));
  const scores = b.op("Gemm", [x, b.initializer("fc.weight", float32([factors.length, PIXELS], kernel))], {
    transB: 1,
  });
  b.output(scores, "float32", ["batch", factors.length]);
  return decodeModel(encodeGraph(b.build()), "pixels");
}

export function subjectOf(model: Model, seed = 1, classes = CLASSES): Subject {
  return { model, shape: { channels: 1, height: 4, width: 4 }, classes, random: randomStream(seed) };
}
