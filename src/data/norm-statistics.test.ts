/**
 * @file That the first normalisation knows the reading that it was trained under, and what is done to images while
 * learning.
 */

import { expect, test } from "vitest";
import { randomStream } from "../core/random.js";
import { float32 } from "../core/tensor.js";
import { float, type GraphBuilder, graphBuilder } from "../onnx/builder.js";
import { encodeGraph } from "../onnx/encode.js";
import { decodeModel, type Model } from "../onnx/model.js";
import type { Preprocessing } from "../onnx/preprocessing.js";
import { tinyImages } from "../training/testing/tiny.js";
import { augmentedView } from "./augment.js";
import { packImages } from "./batches.js";
import { imageSize } from "./dataset.js";
import { statisticsMisfits } from "./norm-statistics.js";
import { onlyPass } from "./views.js";

const images = tinyImages(300, { seed: 3 });
const { shape } = images;
const all = Uint32Array.from({ length: images.count }, (_, i) => i);

const plain: Preprocessing = { layout: "NCHW", range: [0, 1], mean: [0], std: [1], channelOrder: "RGB" };
const contrast: Preprocessing = { ...plain, mean: [0], std: [0.9] };
const inverted: Preprocessing = { ...plain, range: [1, 0] };

/** Mean and variance of all pixels, as they are or augmented: what a normalisation of the input would have learnt. */
function momentsOf(view: "none" | "crop-flip"): readonly [mean: number, variance: number] {
  const pixels = new Float32Array(images.count * imageSize(shape));
  packImages(images, all, pixels);
  const seen = new Float32Array(pixels.length);
  augmentedView(view, shape)(pixels, seen, shape, images.count, randomStream(9), all, onlyPass(randomStream(9)));
  const mean = seen.reduce((sum, value) => sum + value, 0) / seen.length;
  return [mean, seen.reduce((sum, value) => sum + (value - mean) ** 2, 0) / seen.length];
}

/** The input normalised, then scores; `before` stands in front. */
function normalised(
  [mean, variance]: readonly [number, number],
  before?: (b: GraphBuilder, x: string) => string,
): Model {
  const b = graphBuilder("normalised");
  const one = (name: string, value: number): string =>
    b.initializer(name, float32([shape.channels], new Float32Array(shape.channels).fill(value)));
  const x = b.input("x", "float32", ["N", shape.channels, shape.height, shape.width]);
  const normal = b.op(
    "BatchNormalization",
    [before?.(b, x) ?? x, one("scale", 1), one("shift", 0), one("mean", mean), one("variance", variance)],
    { epsilon: float(1e-5) },
  );
  const size = imageSize(shape);
  const weight = b.initializer(
    "w",
    float32(
      [size, 2],
      Float32Array.from({ length: 2 * size }, (_, i) => Math.sin(i)),
    ),
  );
  // A second one, whose statistics are nonsense, stands behind the first.
  const later = b.op(
    "BatchNormalization",
    [b.op("Relu", [normal]), "scale", "shift", one("mean2", 7), one("variance2", 7)],
    {},
  );
  b.output(b.op("MatMul", [b.op("Flatten", [later], { axis: 1 }), weight]), "float32", ["N", 2]);
  return decodeModel(encodeGraph(b.build()), "normalised");
}

test("nothing is amiss under the right reading; under others it is what the formula says", async () => {
  const [mean, variance] = momentsOf("none");
  const misfits = await statisticsMisfits(normalised([mean, variance]), images, [plain, contrast, inverted]);
  // Sums in float32 in another order.
  expect(misfits.get(plain)).toBeLessThan(1e-6);
  // A ninth more contrast: variance times 1/0.81, and the mean moves as well.
  const ratio = (variance / 0.81 + 1e-5) / (variance + 1e-5);
  const moved = (mean / 0.9 - mean) ** 2 / (variance + 1e-5);
  const whole = (ratio - 1 - Math.log(ratio) + moved) / 2;
  // Crops of black may do better than whole images; more than that is not gained.
  expect(misfits.get(contrast)).toBeLessThanOrEqual(whole + 1e-6);
  expect(misfits.get(contrast)).toBeGreaterThan(0.005);
  expect(misfits.get(inverted)).toBeGreaterThan(0.005);
});

test("statistics of cropped images are known for such", async () => {
  const misfits = await statisticsMisfits(normalised(momentsOf("crop-flip")), images, [plain, contrast]);
  // Other crops of as few images.
  expect(misfits.get(plain)).toBeLessThan(0.002);
  expect(misfits.get(contrast)).toBeGreaterThan(misfits.get(plain) ?? 1);
});

test("constants in front of it are part of the network", async () => {
  const [mean, variance] = momentsOf("none");
  const half = (b: GraphBuilder, x: string): string => b.op("Mul", [x, b.scalar(0.5)]);
  const misfits = await statisticsMisfits(normalised([mean / 2, variance / 4], half), images, [plain]);
  expect(misfits.get(plain)).toBeLessThan(1e-6);
});

test("there are none of a model without such a layer, nor of one that does not open as a classifier", async () => {
  const b = graphBuilder("plain");
  const x = b.input("x", "float32", ["N", shape.channels, shape.height, shape.width]);
  const weight = b.initializer("w", float32([imageSize(shape), 2], new Float32Array(2 * imageSize(shape))));
  b.output(b.op("MatMul", [b.op("Flatten", [x], { axis: 1 }), weight]), "float32", ["N", 2]);
  const without = decodeModel(encodeGraph(b.build()), "without");
  expect((await statisticsMisfits(without, images, [plain])).size).toBe(0);
  const labels = graphBuilder("labels", { from: b.build() });
  labels.output(labels.op("ArgMax", ["MatMul"], { axis: 1, keepdims: 0 }), "int64", ["N"]);
  const answering = decodeModel(encodeGraph(labels.build()), "labels");
  expect((await statisticsMisfits(answering, images, [plain])).size).toBe(0);
});
