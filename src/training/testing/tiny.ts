/** @file A classifier and images small enough to train hundreds of times in a test. */

import { randomStream } from "../../core/random.js";
import { float32 } from "../../core/tensor.js";
import type { LabelledImages } from "../../data/dataset.js";
import { imageFeed } from "../../data/feed.js";
import { inMemory } from "../../data/pixels.js";
import { cleanView } from "../../data/views.js";
import { conv2d, dense, type LayerContext, maxPool2, relu } from "../../models/layers.js";
import { float, graphBuilder } from "../../onnx/builder.js";
import { encodeGraph } from "../../onnx/encode.js";
import { decodeModel, type Model, withMetadata } from "../../onnx/model.js";
import { type TrainingPlan, trainEpochs } from "../epochs.js";
import { crossEntropyObjective } from "../objective.js";

export interface TinyOptions {
  readonly channels?: number;
  /** Image side; a multiple of 4. */
  readonly side?: number;
  readonly classes?: number;
  /** Puts a BatchNormalization after the convolution. */
  readonly batchNorm?: boolean;
  readonly seed?: number;
}

/** Convolution, (normalisation,) ReLU, pooling, two dense layers: `conv`, `bn`, `fc1`, `fc2`. About 700 weights. */
export function tinyModel(options: TinyOptions = {}): Model {
  const { channels = 1, side = 8, classes = 4, batchNorm = false, seed = 0 } = options;
  const b = graphBuilder("tiny");
  const context: LayerContext = { b, random: randomStream(seed, "init") };
  let x = b.input("image", "float32", ["batch", channels, side, side]);
  x = conv2d(context, "conv", x, { inputs: channels, outputs: FILTERS, kernel: 3, padding: 1, stride: 2 });
  if (batchNorm) x = b.op("BatchNormalization", [x, ...normalisation(context)], { momentum: float(MOMENTUM) });
  x = b.op("Flatten", [maxPool2(context, relu(context, x))], { axis: 1 });
  x = relu(context, dense(context, "fc1", x, FILTERS * (side / 4) ** 2, HIDDEN));
  x = dense(context, "fc2", x, HIDDEN, classes);
  b.append({ name: "logits", opType: "Identity", domain: "", inputs: [x], outputs: ["logits"], attributes: {} });
  b.output("logits", "float32", ["batch", classes]);
  return withMetadata(decodeModel(encodeGraph(b.build()), "tiny"), new Map([["made by", "a test"]]));
}

const FILTERS = 4;
const HIDDEN = 12;

/** Of the running statistics: the share of the old value that stays. */
export const MOMENTUM = 0.75;

function normalisation({ b }: LayerContext): string[] {
  const vector = (name: string, ...values: number[]): string => b.initializer(name, float32([FILTERS], values));
  return [
    vector("bn.scale", 1, 0.9, 1.1, 1),
    vector("bn.shift", 0.1, 0, -0.1, 0.2),
    vector("bn.mean", 0.3, -0.2, 0.1, 0),
    vector("bn.variance", 0.5, 1, 2, 0.8),
  ];
}

/** The model after some epochs on the images: it knows most of them. */
export async function learnt(model: Model, images: LabelledImages, epochs: number): Promise<Model> {
  const plan: TrainingPlan = {
    objective: crossEntropyObjective(),
    optimizer: { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 },
    learningRate: 0.05,
    schedule: { kind: "constant" },
    epochs,
    train: "all",
    batchNorm: "train",
  };
  const feed = imageFeed(images, { batch: 8, views: [cleanView], random: randomStream(1) });
  let last = model;
  for await (const epoch of trainEpochs(model, plan, feed)) last = epoch.model();
  return last;
}

/** Noise with a bright band for each class: learnt within a few dozen steps, never by the first. */
export function tinyImages(count: number, options: TinyOptions = {}): LabelledImages {
  const { channels = 1, side = 8, classes = 4, seed = 0 } = options;
  const random = randomStream(seed, "tiny images");
  const size = channels * side * side;
  const images = Uint8Array.from({ length: count * size }, () => random.below(100));
  const labels = Uint16Array.from({ length: count }, (_, i) => i % classes);
  labels.forEach((label, i) => {
    const row = Math.floor((label * side) / classes);
    for (let channel = 0; channel < channels; channel++) {
      const start = i * size + (channel * side + row) * side;
      images.fill(200 + random.below(56), start, start + side);
    }
  });
  return { shape: { channels, height: side, width: side }, classes, count, pixels: inMemory(images), labels };
}
