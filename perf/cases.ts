/** @file The cases of the benchmark: what each side does, how much work that is, and how their results are compared. */

import { join } from "node:path";
import { type RandomStream, randomStream } from "../src/core/random.js";
import { packImages } from "../src/data/batches.js";
import { type Dataset, type Images, imageSize, select } from "../src/data/dataset.js";
import { nestedSubset } from "../src/data/subset.js";
import { cleanView, erasedView, onlyPass, type View } from "../src/data/views.js";
import { findArchitecture, newModel } from "../src/models/registry.js";
import type { Model } from "../src/onnx/model.js";
import { wildObjective, wildOptions } from "../src/removal/wild.js";
import type { RuntimeOptions } from "../src/runtime/options.js";
import { crossEntropyObjective } from "../src/training/objective.js";
import type { Contestant } from "./contest.js";
import { countFlops } from "./flops.js";
import type { TorchWork } from "./torch-side.js";
import {
  type Batch,
  epochContestant,
  inferenceContestant,
  type Sgd,
  stepContestant,
  writeBatches,
  writeImages,
  writeSplits,
  writeWeights,
} from "./work.js";

/** What cases are made from. */
export interface Setting {
  readonly seed: number;
  /** For the cases that use images: MNIST, or built-in digits where it is not there. */
  readonly dataset: Dataset;
  /** A folder for files that PyTorch reads. */
  readonly folder: string;
  readonly runtime: RuntimeOptions;
}

/** A case, ready to run. */
export interface Prepared {
  /** "step", "epoch", … */
  readonly unit: string;
  /** Floating-point operations of a unit. */
  readonly flops: number;
  readonly torch: TorchWork;
  wildmark(): Promise<Contestant>;
  readonly agreement: Agreement;
}

/** How the sides' `check` values are compared. */
export type Agreement = "losses" | "epoch" | "answers";

export interface Case {
  readonly id: string;
  readonly title: string;
  /** The ratio PyTorch / Wildmark that is aimed at. */
  readonly target: number;
  prepare(setting: Setting): Promise<Prepared>;
}

const CLASSES = 10;

/** A small constant rate: weights move, as they do in training, and stay sound however long the run is. */
const GENTLE: Sgd = { learningRate: 0.002, momentum: 0.9, weightDecay: 1e-3, clipRatio: 0 };

/** What `wildmark remove` does unless told otherwise, at a constant rate. */
const REMOVAL: Sgd = { learningRate: 0.02, momentum: 0.9, weightDecay: 1e-3, clipRatio: 0.1 };

const BATCHES = 4;
const CHECKED = 8;

export const cases: readonly Case[] = [
  {
    id: "a",
    title: "LeNet-5, WILD step, 64 clean + 64 erased",
    target: 2,
    prepare: (setting) => lenetSteps(setting, "wild", 64),
  },
  {
    id: "b",
    title: "LeNet-5, plain step, batch 128",
    target: 1.8,
    prepare: (setting) => lenetSteps(setting, "cross-entropy", 128),
  },
  {
    id: "c",
    title: "ResNet-18 of width 16, step, batch 64",
    target: 1.3,
    prepare: (setting) => resnetSteps(setting, 16, 64),
  },
  {
    id: "d",
    title: "ResNet-18 of width 64, step, batch 64",
    target: 1.1,
    prepare: (setting) => resnetSteps(setting, 64, 64),
  },
  {
    id: "e",
    title: "LeNet-5, WILD epoch on 10 % of the data, erasing and evaluation included",
    target: 2.5,
    prepare: (setting) => wildEpochs(setting, 0.1),
  },
  {
    id: "f",
    title: "LeNet-5, inference over 10,000 images",
    target: 1.5,
    prepare: inference,
  },
];

/** Steps of LeNet-5 on real images; `wild` adds an erased copy of each. */
export async function lenetSteps(
  setting: Setting,
  objective: "cross-entropy" | "wild",
  batch: number,
): Promise<Prepared> {
  const { dataset, seed } = setting;
  const views = objective === "wild" ? [cleanView, erasedView(wildOptions.parse({}), dataset.train)] : [cleanView];
  const random = randomStream(seed, "batches");
  const batches = Array.from({ length: BATCHES }, () => imageBatch(dataset, batch, views, random));
  return steps(setting, { architecture: "lenet5", objective, batches, shape: dataset.train.shape });
}

/** Steps of ResNet-18 on noise the size of CIFAR-10's images. */
export async function resnetSteps(setting: Setting, width: number, batch: number): Promise<Prepared> {
  const shape = { channels: 3, height: 32, width: 32 };
  const random = randomStream(setting.seed, "batches");
  const batches = Array.from({ length: BATCHES }, () => ({
    images: Float32Array.from({ length: batch * imageSize(shape) }, () => random.uniform()),
    labels: Array.from({ length: batch }, () => random.below(CLASSES)),
  }));
  return steps(setting, { architecture: `resnet18-${width}`, objective: "cross-entropy", batches, shape });
}

async function steps(
  setting: Setting,
  work: {
    readonly architecture: string;
    readonly objective: "cross-entropy" | "wild";
    readonly batches: readonly Batch[];
    readonly shape: Images["shape"];
  },
): Promise<Prepared> {
  const { architecture, batches, shape, objective } = work;
  const { model, weights } = await freshModel(setting, architecture, shape);
  const path = join(setting.folder, "batches.safetensors");
  await writeBatches(path, batches, shape);
  const rows = (batches[0]?.images.length ?? 0) / imageSize(shape);
  const common = { sgd: GENTLE, checked: CHECKED };
  return {
    unit: "step",
    flops: (await countFlops(model, shape, rows)).step,
    torch: { kind: "steps", architecture, weights, objective, batches: path, ...common },
    wildmark: () => {
      const built = objective === "wild" ? wildObjective(wildOptions.parse({})) : crossEntropyObjective();
      return stepContestant({ model, shape, classes: CLASSES, objective: built, batches, ...common }, setting.runtime);
    },
    agreement: "losses",
  };
}

/** Epochs of WILD as `wildmark remove` runs them, on a share of the training images, each followed by the test set. */
export async function wildEpochs(setting: Setting, fraction: number): Promise<Prepared> {
  const { seed, dataset, folder, runtime } = setting;
  const { train, test } = dataset;
  const subset = select(train, nestedSubset(train.labels, train.classes, fraction, seed));
  const batch = 64;
  const { model, weights } = await freshModel(setting, "lenet5", train.shape);
  const data = join(folder, "splits.safetensors");
  await writeSplits(data, subset, test);
  const step = (await countFlops(model, train.shape, 2 * batch)).step;
  const { forward } = await countFlops(model, train.shape, test.count);
  const common = { sgd: REMOVAL, batch, seed };
  return {
    unit: "epoch",
    flops: Math.ceil(subset.count / batch) * step + forward,
    torch: { kind: "epochs", architecture: "lenet5", weights, objective: "wild", data, ...common },
    wildmark: () => epochContestant({ model, subset, test, ...common }, runtime),
    agreement: "epoch",
  };
}

async function inference(setting: Setting): Promise<Prepared> {
  const { dataset, folder, runtime } = setting;
  const count = 10_000;
  const source = dataset.test.count >= count ? dataset.test : dataset.train;
  const images = select(
    source,
    Uint32Array.from({ length: count }, (_, i) => i),
  );
  const { model, weights } = await freshModel(setting, "lenet5", images.shape);
  const data = join(folder, "images.safetensors");
  await writeImages(data, images);
  return {
    unit: "pass",
    flops: (await countFlops(model, images.shape, count)).forward,
    torch: { kind: "inference", architecture: "lenet5", weights, data },
    wildmark: async () => inferenceContestant(model, images, runtime),
    agreement: "answers",
  };
}

async function freshModel(
  { seed, folder }: Setting,
  architecture: string,
  shape: Images["shape"],
): Promise<{ readonly model: Model; readonly weights: string }> {
  const model = newModel(findArchitecture(architecture), { ...shape, classes: CLASSES }, seed);
  const weights = join(folder, "weights.safetensors");
  await writeWeights(weights, model, shape);
  return { model, weights };
}

function imageBatch({ train }: Dataset, count: number, views: readonly View[], random: RandomStream): Batch {
  const chosen = Uint32Array.from({ length: count }, () => random.below(train.count));
  const size = count * imageSize(train.shape);
  const clean = new Float32Array(size);
  packImages(train, chosen, clean);
  const images = new Float32Array(views.length * size);
  views.forEach((view, i) => {
    view(clean, images.subarray(i * size, (i + 1) * size), train.shape, count, random, chosen, onlyPass(random));
  });
  return { images, labels: Array.from(chosen, (index) => train.labels[index] ?? 0) };
}
