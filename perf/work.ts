/**
 * @file Wildmark's side, and the files that give the other side the same weights, batches and data.
 *
 * Everything goes the way that `wildmark` itself goes: `compileStep` for steps, the WILD method with its own options
 * for epochs, `answers` and `accuracy` for inference.
 */

import { writeFile } from "node:fs/promises";
import { encodeSafetensors } from "../src/core/safetensors.js";
import { float32, int64, type Tensor } from "../src/core/tensor.js";
import { randomStream } from "../src/core/random.js";
import { accuracy, answers } from "../src/data/answers.js";
import { copyPixels, type Images, imageSize, type LabelledImages } from "../src/data/dataset.js";
import type { ImageShape } from "../src/core/image.js";
import { imageGraph } from "../src/onnx/image-graph.js";
import type { Model } from "../src/onnx/model.js";
import { wild, wildOptions } from "../src/removal/wild.js";
import type { RuntimeOptions } from "../src/runtime/options.js";
import type { Objective } from "../src/training/objective.js";
import { optimizerSchema } from "../src/training/optimizer.js";
import { compileStep } from "../src/training/step.js";
import { type Contestant, timed } from "./contest.js";

/** Plain SGD with momentum; `clipRatio` 0 means none. */
export interface Sgd {
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly clipRatio: number;
}

/** What steps are fed. */
export interface Batch {
  /** [views · count, C, H, W], values in [0, 1]: all of the first view first. */
  readonly images: Float32Array;
  readonly labels: readonly number[];
}

export interface StepWork {
  readonly model: Model;
  readonly shape: ImageShape;
  readonly classes: number;
  readonly objective: Objective;
  readonly sgd: Sgd;
  readonly batches: readonly Batch[];
  /** How many first losses `check` tells. */
  readonly checked: number;
}

/** One unit is one step on the next batch, copying it included. */
export async function stepContestant(work: StepWork, runtime: RuntimeOptions): Promise<Contestant> {
  const { model, shape, classes, objective, batches } = work;
  const { learningRate, momentum, weightDecay, clipRatio } = work.sgd;
  const { graph, classifier } = imageGraph(model, shape);
  const step = await compileStep(
    {
      graph,
      classifier,
      classes,
      batch: batches[0]?.labels.length ?? 0,
      objective,
      optimizer: optimizerSchema.parse({ kind: "sgd", momentum, weightDecay }),
      trainable: classifier.trainable,
      batchNorm: "train",
      ...(clipRatio === 0 ? {} : { clipRatio }),
    },
    runtime,
  );
  let done = 0;
  const unit = async (): Promise<number> => {
    const batch = batches[done % batches.length];
    if (batch === undefined) throw new RangeError("no batches");
    done += 1;
    step.images.set(batch.images);
    step.targets.fill(0);
    batch.labels.forEach((label, row) => {
      step.targets[row * classes + label] = 1;
    });
    return step.run(learningRate);
  };
  return {
    async check() {
      const losses: number[] = [];
      for (let i = 0; i < work.checked; i++) losses.push(await unit());
      return losses;
    },
    run: (units) => timed(units, unit),
    release: () => step.release(),
  };
}

export interface EpochWork {
  readonly model: Model;
  /** The attacker's images. */
  readonly subset: LabelledImages;
  readonly test: LabelledImages;
  readonly sgd: Sgd;
  readonly batch: number;
  readonly seed: number;
}

/** More epochs than any run asks for: the rate is constant, so their number changes nothing. */
const ENDLESS = 100_000;

/** One unit is one epoch of WILD and the accuracy after it; loss and accuracy of the first are checked. */
export async function epochContestant(work: EpochWork, runtime: RuntimeOptions): Promise<Contestant> {
  const { model, subset, test, sgd, batch, seed } = work;
  const options = wildOptions.parse({ ...sgd, batch, epochs: ENDLESS, schedule: "constant" });
  const epochs = wild
    .run({ model, subset, random: randomStream(seed, "attack"), runtime }, options)
    [Symbol.asyncIterator]();
  const unit = async (): Promise<readonly number[]> => {
    const next = await epochs.next();
    if (next.done) throw new Error("WILD ended early");
    return [next.value.loss ?? Number.NaN, await accuracy(next.value.model(), test, runtime)];
  };
  return {
    check: unit,
    run: (units) => timed(units, unit),
    release: async () => {
      await epochs.return?.();
    },
  };
}

/** One unit is the answers on all images, from their bytes to class numbers; the first answers are checked. */
export function inferenceContestant(model: Model, images: Images, runtime: RuntimeOptions): Contestant {
  const unit = async (): Promise<readonly number[]> => [...(await answers(model, images, runtime))];
  return { check: unit, run: (units) => timed(units, () => answers(model, images, runtime)), release: async () => {} };
}

/** A model's weights and running statistics, under their names. */
export async function writeWeights(path: string, model: Model, shape: ImageShape): Promise<void> {
  const { graph, classifier } = imageGraph(model, shape);
  const names = [...classifier.trainable, ...classifier.statistics];
  await writeTensors(
    path,
    names.map((name) => {
      const tensor = graph.initializers.get(name);
      if (tensor === undefined) throw new RangeError(`no initialiser ${name}`);
      return [name, tensor];
    }),
  );
}

export async function writeBatches(path: string, batches: readonly Batch[], shape: ImageShape): Promise<void> {
  const count = batches[0]?.labels.length ?? 0;
  const rows = (batches[0]?.images.length ?? 0) / imageSize(shape);
  const images = new Float32Array(batches.length * rows * imageSize(shape));
  batches.forEach((batch, i) => {
    images.set(batch.images, i * batch.images.length);
  });
  const labels = batches.flatMap((batch) => batch.labels);
  await writeTensors(path, [
    ["images", float32([batches.length, rows, shape.channels, shape.height, shape.width], images)],
    ["labels", int64([batches.length, count], labels)],
  ]);
}

export async function writeImages(path: string, images: Images): Promise<void> {
  await writeTensors(path, [["images", pixelsOf(images)]]);
}

export async function writeSplits(path: string, train: LabelledImages, test: LabelledImages): Promise<void> {
  await writeTensors(path, [
    ["train_images", pixelsOf(train)],
    ["train_labels", int64([train.count], train.labels)],
    ["test_images", pixelsOf(test)],
    ["test_labels", int64([test.count], test.labels)],
  ]);
}

function pixelsOf(images: Images): Tensor {
  const { channels, height, width } = images.shape;
  return { type: "uint8", dims: [images.count, channels, height, width], data: copyPixels(images) };
}

async function writeTensors(path: string, tensors: readonly (readonly [string, Tensor])[]): Promise<void> {
  await writeFile(path, encodeSafetensors({ metadata: new Map(), tensors: new Map(tensors) }));
}
