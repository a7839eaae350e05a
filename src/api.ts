/**
 * @file Wildmark in calls: what the commands do, as functions of one object each, for programs.
 *
 * Methods, marks and architectures are chosen by their ids, their options are typed by that choice, and all that is
 * left out has the command's default. What can be refused (unknown options, data that do not fit the model) is refused
 * before anything long begins.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { WildmarkError } from "./core/errors.js";
import { chooseOptions } from "./core/options.js";
import { randomStream } from "./core/random.js";
import { findAbstract } from "./data/abstract.js";
import { answers } from "./data/answers.js";
import type { Dataset, Images } from "./data/dataset.js";
import { requireAskable, requireFit } from "./data/fit.js";
import { loadUnrelated } from "./data/unrelated.js";
import type { ExperimentDocument } from "./experiments/document.js";
import { type ExperimentOptions, runExperiment } from "./experiments/run.js";
import { cellRuntime } from "./experiments/run-cells.js";
import { type AuditChoices, auditSpec } from "./experiments/statements/audit.js";
import { requireShown, settleGiven } from "./experiments/statements/given.js";
import { type ReproduceChoices, reproduceSpec } from "./experiments/statements/reproduce.js";
import { answersOnViews, type TestTimeViews } from "./data/test-time.js";
import { recipeFor } from "./models/recipes.js";
import { type Architecture, findArchitecture } from "./models/registry.js";
import { type Head, headSchema } from "./onnx/head.js";
import { type Model, withHead, withPreprocessing } from "./onnx/model.js";
import { readModelFile, writeModelFile } from "./onnx/model-file.js";
import { type Preprocessing, preprocessingSchema } from "./onnx/preprocessing.js";
import { type Certificate, certifyModel } from "./ownership/certify.js";
import { keySeeds } from "./ownership/draw-key.js";
import type { Key } from "./ownership/key.js";
import type { Verdict } from "./ownership/verdict.js";
import type { VerifyOptions } from "./ownership/verify.js";
import { verifyModel } from "./ownership/verify-model.js";
import { type ChosenMethod, findMethod, type MethodId, type OptionsOfMethod } from "./removal/registry.js";
import type { RuntimeOptions } from "./runtime/session.js";
import { requireAttackerImages } from "./tasks/attacker-images.js";
import { chanceAccuracy, isAtChance } from "./tasks/chance.js";
import { type MarkedModel, markModel } from "./tasks/mark-model.js";
import { type BetterReading, betterReading, settleReading } from "./tasks/reading.js";
import { type CleanedMark, type CleanedModel, removeMark } from "./tasks/remove-mark.js";
import type { RunOptions } from "./tasks/run-options.js";
import { type Scan, type ScanOptions, scanModel } from "./tasks/scan-model.js";
import {
  continueModel,
  continuingOptions,
  type TrainedModel,
  trainModel,
  type trainOptions,
  trainOptionsOf,
} from "./tasks/train-model.js";
import { agreement } from "./training/evaluate.js";
import { embedContinuingOptions, embedFromScratchOptionsOf } from "./watermarks/embed.js";
import { type ChosenMark, findMark, type MarkId, type OptionsOfMark } from "./watermarks/registry.js";
import { defined } from "./core/defined.js";

const DEFAULT_ARCHITECTURE = "lenet5";

/**
 * Reads an ONNX classifier.
 *
 * @param options.preprocessing what the model expects of its images, before what lies beside the file or is in it; what
 *   nobody says is assumed (pixels from 0 to 1, the layout that fits).
 * @param options.head how its answers are read, before what lies beside the file: which output holds the scores, which
 *   of its classes the data has; what nobody says is found.
 * @throws WildmarkError `bad-file`, `bad-model`; `usage` for a preprocessing or a head that cannot be.
 */
export async function loadModel(
  path: string,
  options: { readonly preprocessing?: Partial<Preprocessing>; readonly head?: Head } = {},
): Promise<Model> {
  const { preprocessing, head = {} } = options;
  const says =
    preprocessing === undefined
      ? undefined
      : chooseOptions(preprocessingSchema, { ...preprocessing }, "the preprocessing");
  const model = withHead(await readModelFile(path), chooseOptions(headSchema, { ...head }, "the head"));
  return says === undefined ? model : withPreprocessing(model, { from: "preprocessing", says });
}

/**
 * Writes a model's file, whole or not at all, and beside it what is said of its preprocessing (model.wildmark.json).
 *
 * @param options.force replace an existing file; false by default.
 * @throws WildmarkError `cannot-write`.
 */
export async function saveModel(path: string, model: Model, options: { readonly force?: boolean } = {}): Promise<void> {
  await writeModelFile(path, model, options);
}

/** How to train; what is left out is as the architecture's recipe says. */
export type TrainingChoices = Partial<z.infer<typeof trainOptions>>;

export interface TrainOptions extends RunOptions {
  readonly dataset: Dataset;
  /** Of a fresh model, or its id, such as `"resnet18-16"`; default `"lenet5"`. */
  readonly architecture?: string | Architecture;
  /** A model to train further, in place of a fresh one. */
  readonly model?: Model;
  /** Of a given model: take it as it is read, although another reading fits the data clearly better; default false. */
  readonly asRead?: boolean;
  /** What is left out is as the architecture's recipe says, or gentler where a model is given. */
  readonly training?: TrainingChoices;
  /** Weights, order and all else that is random follow from it; default 0. */
  readonly seed?: number;
}

/**
 * Trains a classifier without a mark, a fresh one or a given one further.
 *
 * @throws WildmarkError `usage` for options that cannot be, and for a given model that is plainly read otherwise than
 *   it was trained, unless `asRead`; as `trainEpochs` does.
 */
export async function train(options: TrainOptions): Promise<TrainedModel> {
  const { dataset, model, training = {}, seed = 0, asRead = false } = options;
  if (model !== undefined) {
    if (options.architecture !== undefined) throw eitherModelOrArchitecture();
    requireFitting(model, dataset);
    const chosen = chooseOptions(continuingOptions, training, "training");
    return continueModel({ dataset, model, options: chosen, seed, asRead }, options);
  }
  const architecture = architectureOf(options.architecture);
  const settled = chooseOptions(trainOptionsOf(recipeFor(architecture)), training, "training");
  return trainModel({ dataset, architecture, options: settled, seed }, options);
}

const eitherModelOrArchitecture = (): WildmarkError =>
  new WildmarkError("usage", "Either a model goes on or a fresh one of an architecture is trained; found both.");

export interface EvaluateOptions {
  readonly model: Model;
  readonly dataset: Dataset;
  readonly runtime?: RuntimeOptions;
  /** Views to average over for a second number; default: none is told. */
  readonly testTime?: TestTimeViews;
}

export interface Evaluation {
  /** Share of the test images that are answered correctly. */
  readonly accuracy: number;
  readonly correct: number;
  /** The same where the scores of several views of each image are averaged; there if it was asked for. */
  readonly testTimeAccuracy?: number;
  readonly images: number;
  /** What guessing reaches. */
  readonly chance: number;
  /**
   * Whether guessing explains the accuracy: the usual cause is another preprocessing than the model was trained with.
   */
  readonly atChance: boolean;
  /** A reading that is clearly better, where there is one: as what `loadModel` takes. */
  readonly better?: BetterReading;
}

/**
 * A model's accuracy on the test images of a data set, and whether it would answer clearly better if it were read
 * otherwise.
 *
 * @throws WildmarkError `bad-model`, `bad-data` where model and data do not belong together.
 */
export async function evaluate({ model, dataset, runtime, testTime }: EvaluateOptions): Promise<Evaluation> {
  const { shape, classes } = dataset.train;
  requireAskable(model, "the model", { what: `the images of ${dataset.id}`, shape, classes }, { exactly: true });
  const { test } = dataset;
  const answered = await answers(model, test, runtime);
  const accuracy = agreement(answered, test.labels);
  const correct = Math.round(accuracy * test.count);
  const chance = chanceAccuracy(test);
  const testTimeAccuracy =
    testTime === undefined ? undefined : agreement(await answersOnViews(model, test, testTime, runtime), test.labels);
  const { better } = await betterReading(model, test, answered, runtime);
  return {
    accuracy,
    correct,
    images: test.count,
    chance,
    atChance: isAtChance(correct, test),
    ...defined({ better, testTimeAccuracy }),
  };
}

/** How to train a mark in; what is left out is as the architecture's recipe says, or gentler where a model goes on. */
export type EmbedTraining = Partial<z.infer<typeof embedContinuingOptions>>;

export interface EmbedOptions<Id extends MarkId = MarkId> extends RunOptions {
  readonly dataset: Dataset;
  /** The kind of mark; default `"content"`. */
  readonly scheme?: Id | ChosenMark;
  /** Of the kind of mark: how many triggers, which class, … */
  readonly options?: OptionsOfMark<Id>;
  /** A trained model to mark; without one a fresh model is trained. */
  readonly model?: Model;
  /** Of a fresh model; default `"lenet5"`. */
  readonly architecture?: string | Architecture;
  readonly training?: EmbedTraining;
  /** Pictures for the unrelated mark, or the name or path of some; default: those that belong to the data set. */
  readonly unrelated?: Images | string;
  /**
   * Pictures for the abstract mark, or the path of some; default: Adi et al.'s where they are found, else built-in
   * ones.
   */
  readonly abstract?: Images | string;
  /**
   * All that is random follows from it, the key's secret too: whoever knows it and the data has the key. Default: both
   * are drawn in secret.
   */
  readonly seed?: number;
  /** Of a given model: take it as it is read, although another reading fits the data clearly better; default false. */
  readonly asRead?: boolean;
}

/**
 * Marks a model, and makes the key that proves it.
 *
 * @throws WildmarkError `usage` for options that cannot be, and for a given model that is plainly read otherwise than
 *   it was trained, unless `asRead`; `bad-data` where the data do not fit or are too few.
 */
export async function embed<Id extends MarkId = "content">(options: EmbedOptions<Id>): Promise<MarkedModel> {
  const { dataset, model, scheme = "content", training = {} } = options;
  const { seed, secret } = keySeeds(options.seed);
  const mark = chosen<ChosenMark>(scheme, findMark, options.options);
  if (model !== undefined && options.architecture !== undefined) {
    throw eitherModelOrArchitecture();
  }
  const architecture = architectureOf(options.architecture);
  const schema = model === undefined ? embedFromScratchOptionsOf(recipeFor(architecture)) : embedContinuingOptions;
  const settled = chooseOptions(schema, training, "training");
  if (model !== undefined) requireFitting(model, dataset);
  const start = model === undefined ? { architecture } : { model };
  const pictures = {
    ...(mark.pictures === "unrelated" ? { unrelated: await picturesOf(options) } : {}),
    ...(mark.pictures === "abstract" ? await abstractOf(options) : {}),
  };
  const { asRead = false } = options;
  return markModel({ dataset, mark, start, options: settled, seed, secret, asRead, ...pictures }, options);
}

async function picturesOf({ dataset, unrelated, progress }: EmbedOptions): Promise<Images> {
  if (typeof unrelated === "object") return unrelated;
  return loadUnrelated(dataset, { source: unrelated, progress });
}

async function abstractOf({ dataset, abstract, progress }: EmbedOptions): Promise<{ readonly abstract?: Images }> {
  if (typeof abstract === "object") return { abstract };
  const found = await findAbstract(dataset.train.shape, { source: abstract, progress });
  return found === undefined ? {} : { abstract: found };
}

export interface VerifyCall extends VerifyOptions {
  readonly model: Model;
  readonly key: Key;
  readonly runtime?: RuntimeOptions;
  /** Models that were trained without the mark. */
  readonly nullModels?: readonly Model[];
  /** Keys that anybody can make, of the same scheme, options and base data: `strangersKeys`. */
  readonly strangers?: readonly Key[];
}

/**
 * Tests whether a suspect model carries a key's mark.
 *
 * @throws WildmarkError `bad-key` when a model takes other images or answers other classes than the key's; `usage` when
 *   the suspect, the marked model, or one model twice is among the null models.
 */
export async function verify({ model, key, ...options }: VerifyCall): Promise<Verdict> {
  return verifyModel(model, key, options);
}

export interface ScanCall extends Omit<ScanOptions, "images"> {
  readonly model: Model;
  /** Clean images of the kind that the model is for: its test images are shown to it. Default: none. */
  readonly dataset?: Dataset;
}

/**
 * Looks for what may be planted in a model, without any key: what was found, where, how sure that is, what innocent
 * cause it may have; which detectors looked, and what each cannot see. That nothing was found does not say that nothing
 * is planted.
 *
 * @throws WildmarkError `usage` for detectors that there are not; `bad-data`, `bad-model` where model and data do not
 *   belong together; `interrupted`. A detector that cannot be run on the model is no failure: `looked` says why.
 */
export async function scan({ model, dataset, ...options }: ScanCall): Promise<Scan> {
  if (dataset === undefined) return scanModel(model, options);
  const { shape, classes } = dataset.test;
  requireAskable(model, "the model", { what: `the images of ${dataset.id}`, shape, classes }, { exactly: true });
  return scanModel(model, { ...options, images: dataset.test });
}

export interface CertifyCall extends Pick<RunOptions, "runtime" | "progress" | "signal"> {
  readonly model: Model;
  readonly key: Key;
  /** σ, standard deviation of the noise on each weight, in the weights' own units. */
  readonly sigma: number;
  /** How often noise is drawn; default 1000. */
  readonly draws?: number;
  /** How sure each bound is, in (½, 1); default 0.99. */
  readonly confidence?: number;
  /** The retention that is not to be fallen below, in (0, 1]; default 0.5. */
  readonly least?: number;
  /** Draws the noise; default 0. */
  readonly seed?: number;
}

/**
 * How far a model's weights may be moved before its median retention under noise can fall below a bound
 * (docs/ownership.md).
 *
 * @throws WildmarkError `bad-key` where model and key do not belong together; `usage` for numbers out of range.
 */
export async function certify({ seed = 0, ...call }: CertifyCall): Promise<Certificate> {
  const { model, key, draws = 1000, confidence = 0.99, least = 0.5, ...rest } = call;
  return certifyModel(model, key, { ...rest, draws, confidence, least, random: randomStream(seed, "certificate") });
}

export interface RemoveOptions<Id extends MethodId = MethodId> extends RunOptions {
  readonly model: Model;
  readonly dataset: Dataset;
  /** Default `"wild"`. */
  readonly method?: Id | ChosenMethod;
  /** Of the method. */
  readonly options?: OptionsOfMethod<Id>;
  /** The attacker's share of the training images, in (0, 1]; default 0.1. */
  readonly fraction?: number;
  /** The share, none of it labelled, for methods that need images without labels; default: as large as `fraction`. */
  readonly unlabelled?: number;
  /** Draws the shares, and all else that is random; default 0. */
  readonly seed?: number;
  /** The owner's key, to see what becomes of the mark; the method never does. */
  readonly key?: Key;
  /** Cut gates that are certainly planted out of the graph first; default false. */
  readonly cut?: boolean;
  /** Take the model as it is read, although another reading fits the data clearly better; default false. */
  readonly asRead?: boolean;
}

/**
 * Attacks a model as someone with its weights and a share of the data would, and measures what is left; with a key, of
 * the mark too.
 *
 * @throws WildmarkError `usage` for options that cannot be, and for a model that is plainly read otherwise than it was
 *   trained, unless `asRead`; `bad-data`, `bad-key` where model, data and key do not belong together, or where the
 *   share leaves a class empty.
 */
export async function remove<Id extends MethodId = "wild">(
  options: RemoveOptions<Id> & { readonly key: Key },
): Promise<CleanedModel & { readonly mark: CleanedMark }>;
export async function remove<Id extends MethodId = "wild">(
  options: RemoveOptions<Id>,
): Promise<CleanedModel & { readonly mark?: CleanedMark }>;
export async function remove<Id extends MethodId = "wild">(
  options: RemoveOptions<Id>,
): Promise<CleanedModel & { readonly mark?: CleanedMark }> {
  const { model, dataset, method = "wild", fraction = 0.1, unlabelled, seed = 0, key } = options;
  const ready = chosen<ChosenMethod>(method, findMethod, options.options);
  requireFitting(model, dataset);
  if (key !== undefined) {
    const { shape, classes } = key;
    requireFit(model, "the model", { what: "the key", shape, classes, code: "bad-key" });
  }
  const removal = {
    model,
    dataset,
    method: ready,
    fraction,
    seed,
    ...defined({ unlabelled, cut: options.cut }),
  };
  requireAttackerImages(removal, ready);
  const { asRead = false, runtime, progress } = options;
  await settleReading(model, dataset.test, { where: "the model", asRead, words: "call", runtime, progress });
  return removeMark(key === undefined ? removal : { ...removal, key }, options);
}

export interface AuditCall extends AuditChoices, Omit<ExperimentOptions, "out"> {
  readonly methods?: readonly MethodId[];
  /**
   * A folder that keeps what is finished, so that the same call goes on after an interruption; default: nothing is
   * kept.
   */
  readonly out?: string;
  /** Whether to go on although the mark is not shown before any attack; default false. */
  readonly force?: boolean;
  /** Whether to take the model as it is read, although another reading fits the data clearly better; default false. */
  readonly asRead?: boolean;
}

/**
 * Attacks one marked model with every method and budget chosen, and gathers what became of the mark: a document that
 * `findingsOf` and `renderReport` take.
 *
 * @throws WildmarkError `usage` for budgets, methods or levels that cannot be; `bad-model`, `bad-data` and `bad-key`
 *   where model, data and key do not belong together; `usage` where the model is plainly read otherwise than it was
 *   trained, unless `asRead`; `bad-key` when the mark is not shown to begin with, unless forced; `interrupted`.
 */
export async function audit(call: AuditCall): Promise<ExperimentDocument> {
  const { asRead = false, force = false, runtime, progress } = call;
  const spec = auditSpec(call);
  await settleGiven(spec, { asRead, words: "call", runtime, progress });
  return inFolder(call.out, async (out) => {
    if (!force) await requireShown({ spec, out, run: { runtime: cellRuntime(runtime) } });
    return runExperiment(spec, { ...call, out });
  });
}

export interface ReproduceCall extends ReproduceChoices, Omit<ExperimentOptions, "out"> {
  /**
   * A folder that keeps what is finished, so that the same call goes on after an interruption; default: nothing is
   * kept.
   */
  readonly out?: string;
}

/**
 * The paper's experiment: marked models, each attacked by WILD and by baselines.
 *
 * @throws WildmarkError `usage` for marks and budgets that cannot be; `interrupted`.
 */
export async function reproduce(call: ReproduceCall): Promise<ExperimentDocument> {
  const spec = reproduceSpec(call);
  return inFolder(call.out, (out) => runExperiment(spec, { ...call, out }));
}

/** A folder of one's own, or one that is gone afterwards. */
async function inFolder<T>(out: string | undefined, work: (out: string) => Promise<T>): Promise<T> {
  if (out !== undefined) return work(out);
  const own = await mkdtemp(join(tmpdir(), "wildmark-"));
  try {
    return await work(own);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

type Given = Readonly<Record<string, unknown>>;

/** What an id and options mean; what was chosen beforehand brings its own. */
function chosen<Chosen extends { readonly id: string }>(
  wanted: string | Chosen,
  find: (id: string) => { readonly choose: (options?: Given) => Chosen },
  options: Given | undefined,
): Chosen {
  if (typeof wanted === "string") return find(wanted).choose(options);
  if (options === undefined) return wanted;
  throw new WildmarkError("usage", `"${wanted.id}" was chosen with its options already; found others beside it.`, {
    hint: "Give the options to choose(), or the id instead of what it gave.",
  });
}

function architectureOf(given: string | Architecture = DEFAULT_ARCHITECTURE): Architecture {
  return typeof given === "string" ? findArchitecture(given) : given;
}

function requireFitting(model: Model, dataset: Dataset): void {
  const { shape, classes } = dataset.train;
  requireFit(model, "the model", { what: `the images of ${dataset.id}`, shape, classes });
}
