/**
 * @file The models of the study of detection (`perf/detection.ts`): what there is to be made, and how one of them is.
 *
 * Every model has a seed of its own, from which its weights, its training images (a draw from the whole training set)
 * and its mark follow, so that no two share more than the family.
 */

import { permutation, randomStream } from "../src/core/random.js";
import { accuracy as shareRight } from "../src/data/answers.js";
import { augmentedView } from "../src/data/augment.js";
import { copied, type Dataset, type Images, type LabelledImages, select } from "../src/data/dataset.js";
import { imageFeed } from "../src/data/feed.js";
import { recipeFor } from "../src/models/recipes.js";
import { findArchitecture, newModel } from "../src/models/registry.js";
import type { Model } from "../src/onnx/model.js";
import { trainModel, trainOptionsOf } from "../src/tasks/train-model.js";
import { type TrainedEpoch, trainEpochs } from "../src/training/epochs.js";
import { crossEntropyObjective } from "../src/training/objective.js";
import { sgdPlan } from "../src/training/options.js";
import { embedContinuingOptions, embedFromScratchOptionsOf, type MarkTraining } from "../src/watermarks/embed.js";
import { findMark } from "../src/watermarks/registry.js";

/** Models that are trained alike. */
export interface Family {
  readonly id: string;
  readonly title: string;
  readonly dataset: string;
  readonly architecture: string;
  /** Images that each model is trained on. */
  readonly images: number;
  /** Epochs that each is trained for, marked or not: a longer training alone would tell models apart. */
  readonly epochs: number;
  /** Where it is not as the architecture's recipe says: these are trained for a short time. */
  readonly training?: { readonly learningRate: number; readonly augment: "none" };
  readonly counts: Counts;
}

export interface Counts {
  readonly baseline: number;
  readonly clean: number;
  /** Of each mark and way. */
  readonly fixed: number;
  /** Of all marks that are stamps and ways, in turn. */
  readonly wide: number;
  /** Of all marks and ways, in turn. */
  readonly random: number;
  /** Of those of a role the first so many are measured with Neural Cleanse too, which takes as long as all the others. */
  readonly cleansed: number;
}

export const families: readonly Family[] = [
  {
    id: "mnist-lenet5",
    title: "LeNet-5 on MNIST",
    dataset: "mnist",
    architecture: "lenet5",
    images: 4000,
    epochs: 16,
    counts: { baseline: 40, clean: 50, fixed: 9, wide: 12, random: 12, cleansed: 20 },
  },
  {
    id: "cifar10-cnn-8",
    title: "CNN of width 8 on CIFAR-10",
    dataset: "cifar-10",
    architecture: "cnn-8",
    images: 4000,
    epochs: 10,
    training: { learningRate: 0.03, augment: "none" },
    counts: { baseline: 30, clean: 30, fixed: 5, wide: 8, random: 8, cleansed: 0 },
  },
];

export const marks = ["content", "noise", "unrelated"] as const;
export const ways = ["scratch", "continued"] as const;

export type MarkName = (typeof marks)[number];
export type Way = (typeof ways)[number];

interface Planned {
  /** Also the name of its file. */
  readonly id: string;
  readonly family: Family;
  readonly seed: number;
  /** Whether Neural Cleanse is measured too. */
  readonly cleansed: boolean;
}

/** `baseline` models are what the others are ranked among; `clean` ones are told for. Neither has a mark. */
export interface UnmarkedPlan extends Planned {
  readonly role: "baseline" | "clean";
  /** Trained from scratch, or gone on with as if a mark were embedded: so that it is the mark that is told, not this. */
  readonly way: Way;
}

/**
 * `fixed`: all triggers are answered with one class, in the form that was published, which stamps images of one class;
 * `wide`: the same with stamps on images of all classes; `random`: each trigger is answered with a class drawn for it.
 */
export interface MarkedPlan extends Planned {
  readonly role: "fixed" | "wide" | "random";
  readonly mark: MarkName;
  readonly way: Way;
  /** What all triggers are answered with, where they are. */
  readonly target: number;
}

export type ModelPlan = UnmarkedPlan | MarkedPlan;

/** Seeds of different roles lie far apart: no baseline model is told for. */
const FIRST_SEED = { baseline: 1000, clean: 2500, fixed: 6000, random: 4000, wide: 7000 } as const;

const CLASSES = 10;

/** The models of one family, all roles in turn, so that a study that is stopped early has some of each. */
export function modelsOf(family: Family): readonly ModelPlan[] {
  const { counts } = family;
  const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
  const unmarked = (role: UnmarkedPlan["role"]): readonly UnmarkedPlan[] =>
    range(counts[role]).map((i) => {
      const cleansed = i < counts.cleansed;
      const way = ways[i % ways.length] ?? "scratch";
      return { id: `${family.id}-${role}-${i}-${way}`, family, role, way, seed: FIRST_SEED[role] + i, cleansed };
    });
  const forms = marks.flatMap((mark) => ways.map((way) => ({ mark, way })));
  const stamps = forms.filter(({ mark }) => mark !== "unrelated");
  const marked = (role: MarkedPlan["role"], count: number): readonly MarkedPlan[] =>
    range(count).map((i) => {
      const own = role === "wide" ? stamps : forms;
      const { mark, way } = own[i % own.length] ?? { mark: "content", way: "scratch" };
      const seed = FIRST_SEED[role] + i;
      const target = randomStream(seed, "target").below(CLASSES);
      const cleansed = role === "fixed" && i < counts.cleansed;
      return { id: `${family.id}-${role}-${i}-${mark}-${way}`, family, role, seed, mark, way, target, cleansed };
    });
  return inTurn<ModelPlan>([
    unmarked("baseline"),
    unmarked("clean"),
    marked("fixed", counts.fixed * forms.length),
    marked("wide", counts.wide),
    marked("random", counts.random),
  ]);
}

/** Merged so that each list comes to its end at the same time. */
function inTurn<T>(lists: readonly (readonly T[])[]): readonly T[] {
  return lists
    .flatMap((list) => list.map((item, i) => ({ item, at: (i + 0.5) / list.length })))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

export interface MadeModel {
  readonly model: Model;
  readonly accuracy: number;
  /** Of a marked one: the share of its triggers that it answers as it was taught. */
  readonly retention?: number;
  /** How often embedding was tried; the training is longer each time. */
  readonly tries?: number;
}

/** A mark that fewer of its triggers show did not take hold. */
export const LEAST_RETENTION = 0.9;

/** The share of those epochs that a mark is trained in for, where a trained model goes on. */
const CONTINUED = 0.5;

/** A mark that does not take hold is tried again with twice as many triggers in each batch. */
const TRIES = 2;

export async function makeModel(plan: ModelPlan, dataset: Dataset, unrelated: Images): Promise<MadeModel> {
  const { family, seed } = plan;
  const architecture = findArchitecture(family.architecture);
  const recipe = recipeFor(architecture);
  const drawn = permutation(dataset.train.count, randomStream(seed, "images")).subarray(0, family.images);
  const own: Dataset = { ...dataset, train: copied(select(dataset.train, drawn)) };
  const plain = async (from: number, epochs: number): Promise<Model> => {
    const options = trainOptionsOf(recipe).parse({ ...family.training, epochs });
    return (await trainModel({ dataset: own, architecture, options, seed: from })).model;
  };
  const continued = plan.way === "continued";
  const trained = (): Promise<Model> =>
    plain(randomStream(seed, "start").below(2 ** 32), (1 - CONTINUED) * family.epochs);
  const goingOn = embedContinuingOptions.parse({ epochs: CONTINUED * family.epochs });
  if (!("mark" in plan)) {
    const model = continued
      ? await last(trainedOn(await trained(), own.train, goingOn, seed))
      : await plain(seed, family.epochs);
    return { model, accuracy: await shareRight(model, dataset.test) };
  }
  const mark = findMark(plan.mark).choose(formOf(plan));
  const set = await mark.make({ train: own.train, unrelated, random: randomStream(seed, "mark", mark.id) });
  const start = continued
    ? await trained()
    : newModel(architecture, { ...own.train.shape, classes: own.train.classes }, seed);
  const base = continued
    ? goingOn
    : embedFromScratchOptionsOf(recipe).parse({ ...family.training, epochs: family.epochs });
  for (let tries = 1; ; tries++) {
    const random = randomStream(seed, "embedding", tries);
    const embedding = { model: start, train: own.train, triggers: set.triggers, random };
    const options = { ...base, triggersPerBatch: tries * base.triggersPerBatch };
    const model = await last(mark.embed(embedding, options));
    const retention = await shareRight(model, set.triggers);
    if (retention >= LEAST_RETENTION || tries === TRIES) {
      return { model, accuracy: await shareRight(model, dataset.test), retention, tries };
    }
  }
}

/** The published form of the mark, with classes of this model's own; or the same with a label for each trigger. */
function formOf({ role, mark, seed, target }: MarkedPlan): Readonly<Record<string, unknown>> {
  const published = findMark(mark).published;
  if (role === "random") {
    const form = { ...published, labels: "random", target: undefined };
    return mark === "unrelated" ? form : { ...form, source: undefined };
  }
  if (role === "wide") return { ...published, target, source: undefined };
  const source = (target + 1 + randomStream(seed, "source").below(CLASSES - 1)) % CLASSES;
  return { ...published, target, ...(mark === "unrelated" ? {} : { source }) };
}

/** On clean images alone, in the way that a mark is embedded into a trained model. */
function trainedOn(
  model: Model,
  train: LabelledImages,
  options: MarkTraining,
  seed: number,
): AsyncIterable<TrainedEpoch> {
  const views = [augmentedView(options.augment, train.shape)];
  const feed = imageFeed(train, { batch: options.batch, views, random: randomStream(seed, "embedding") });
  return trainEpochs(model, sgdPlan(options, crossEntropyObjective(options.labelSmoothing)), feed, {});
}

async function last(epochs: AsyncIterable<TrainedEpoch>): Promise<Model> {
  let model: Model | undefined;
  for await (const epoch of epochs) model = epoch.model();
  if (model === undefined) throw new Error("training yielded no epoch");
  return model;
}
