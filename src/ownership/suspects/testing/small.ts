/** @file A small model that really answers, and images with a key's shape, for tests of the ways to ask. */

import { float32 } from "../../../core/tensor.js";
import { answers } from "../../../data/answers.js";
import { copyPixels, type Images, imageAt, imageSize, select } from "../../../data/dataset.js";
import { renderDigits } from "../../../data/digits.js";
import { graphBuilder } from "../../../onnx/builder.js";
import { encodeGraph } from "../../../onnx/encode.js";
import { decodeModel, type Model } from "../../../onnx/model.js";
import type { AskableKey } from "../key-queries.js";

/**
 * The nearest mean of ten digits each: a linear classifier, right on most digits, made in no time.
 *
 * |x − m|² is smallest where m·x − |m|²/2 is largest.
 */
export function smallModel(): Model {
  const { shape, labels, ...train } = renderDigits("train", 200, 1);
  const size = imageSize(shape);
  const means = Array.from({ length: 10 }, () => new Float32Array(size));
  const counts = new Float32Array(10);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  for (let i = 0; i < train.count; i++) {
    const label = labels[i] ?? 0;
    const mean = means[label] ?? new Float32Array(size);
    imageAt({ shape, ...train }, i).forEach((value, at) => {
      mean[at] = (mean[at] ?? 0) + value / 255 / (counts[label] ?? 1);
    });
  }
  const b = graphBuilder("means");
  const x = b.op("Flatten", [b.input("x", "float32", ["N", shape.channels, shape.height, shape.width])], { axis: 1 });
  const weight = b.initializer("weight", float32([10, size], Float32Array.from(means.flatMap((mean) => [...mean]))));
  const halves = means.map((mean) => -mean.reduce((sum, value) => sum + value * value, 0) / 2);
  const bias = b.initializer("bias", float32([10], Float32Array.from(halves)));
  b.output(b.op("Gemm", [x, weight, bias], { transB: 1 }, { name: "scores" }), "float32", ["N", 10]);
  return decodeModel(encodeGraph(b.build()), "means.onnx");
}

/** Digits of the test split, different from each other. */
export function digits(count: number, seed = 5): Images {
  return renderDigits("test", count, seed);
}

/** A key of digits: triggers, as many placebos, two held-out triggers. */
export function smallKey(triggers: number): AskableKey {
  const all = renderDigits("test", 2 * triggers + 2, 5);
  const part = (from: number, count: number) => {
    const indices = Array.from({ length: count }, (_, i) => from + i);
    return { images: copyPixels(select(all, indices)), count, labels: new Uint16Array(count), paired: true };
  };
  const { shape, classes } = all;
  return {
    shape,
    classes,
    triggers: part(0, triggers),
    placebos: part(triggers, triggers),
    heldOut: part(2 * triggers, 2),
  };
}

/** What the small model itself says: what every way to ask it must say too. */
export async function ownAnswers(model: Model, images: Images): Promise<number[]> {
  return [...(await answers(model, images))];
}
