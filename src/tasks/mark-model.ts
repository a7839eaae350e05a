/**
 * @file Marks one model: makes the owner's triggers, trains them in, and makes the key that proves it. Where a mark
 * starts from a trained model and a fresh architecture is asked for, that is trained without the mark first.
 */

import { randomStream } from "../core/random.js";
import { accuracy } from "../data/answers.js";
import type { ReadingScores } from "../data/best-reading.js";
import type { Dataset, Images } from "../data/dataset.js";
import { firstImages } from "../data/first-images.js";
import { type Architecture, newModel } from "../models/registry.js";
import { encodeModel, type Model, modelSha256 } from "../onnx/model.js";
import { type BaseData, drawTriggers } from "../ownership/draw-key.js";
import type { Key } from "../ownership/key.js";
import { makeKey } from "../ownership/make-key.js";
import { strangersKeys } from "../ownership/strangers.js";
import type { Verdict } from "../ownership/verdict.js";
import { verifyModel } from "../ownership/verify-model.js";
import { type MarkTraining, embedContinuingOptions } from "../watermarks/embed.js";
import type { ChosenMark } from "../watermarks/registry.js";
import type { Finding } from "../detection/finding.js";
import { checkGraph, graphSubject, graphWarnings } from "./graph-check.js";
import { measure, runEpochs } from "./measure.js";
import { type ReadingWords, requireUnharmed, settleReading } from "./reading.js";
import type { EpochRecord, Measurement } from "./records.js";
import { loopOptions, type RunOptions } from "./run-options.js";
import { trainModel } from "./train-model.js";
import { defined } from "../core/defined.js";

export interface Marking {
  readonly dataset: Dataset;
  /** Images of another domain, for marks that need them. */
  readonly unrelated?: Images;
  /** Abstract pictures for the mark that shows them; it draws its own where there are none. */
  readonly abstract?: Images;
  readonly mark: ChosenMark;
  /** A model to go on with, or the architecture of a fresh one. */
  readonly start: { readonly model: Model } | { readonly architecture: Architecture };
  /**
   * Of training; where a fresh model is trained without the mark first, of that, and the mark goes on with the
   * defaults.
   */
  readonly options: MarkTraining;
  /** Weights, order and all else that is random follow from it; the triggers too where there is no secret. */
  readonly seed: number;
  /**
   * 32 bytes that the key is drawn from, so that it can prove something (`ownership/binding.ts`). Experiments, whose
   * keys nobody disputes, have none.
   */
  readonly secret?: Uint8Array;
  /** Of a model to go on with: whether to take it as it is read, whatever fits the data better; default false. */
  readonly asRead?: boolean;
  /** What messages call that model, and how hints say a reading; default "the model", as a call does. */
  readonly named?: { readonly where: string; readonly words: ReadingWords };
}

export interface MarkedModel {
  readonly model: Model;
  /** Secret: who has it can forge the proof. */
  readonly key: Key;
  /** Accuracy of the model before it was marked; absent for one that was marked from its first step on. */
  readonly accuracyBefore?: number;
  readonly measured: Measurement;
  readonly verdict: Verdict;
  /** What the given model answered under each plausible reading; absent for a fresh one. */
  readonly readings?: ReadingScores;
  /** What was found in the given model's graph, beyond what is worth a note; absent for a fresh one. */
  readonly graph?: readonly Finding[];
  /** Of all training, that without the mark first. */
  readonly epochs: readonly EpochRecord[];
}

/**
 * @throws WildmarkError `bad-data` where the data do not give enough triggers; as `trainEpochs`, and for a given model
 *   as `settleReading` and `requireUnharmed` do.
 */
export async function markModel(marking: Marking, run: RunOptions = {}): Promise<MarkedModel> {
  const { dataset, unrelated, abstract, mark, seed, secret } = marking;
  const { train, test } = dataset;
  const settling = {
    ...(marking.named ?? ({ where: "the model", words: "call" } as const)),
    asRead: marking.asRead ?? false,
    runtime: run.runtime,
    progress: run.progress,
  };
  const readings = "model" in marking.start ? await settleReading(marking.start.model, test, settling) : undefined;
  const graph =
    "model" in marking.start ? await checkGraph(graphSubject(marking.start.model, train, seed, run)) : undefined;
  for (const line of graphWarnings(graph ?? [], settling.where)) run.progress?.note(line);
  const { model, options, epochs: earlier, trained } = await startOf(marking, run);
  const runtime = run.runtime === undefined ? {} : { runtime: run.runtime };
  const base = {
    train,
    ...defined({ unrelated, abstract }),
    ...(mark.startsTrained ? { model, ...runtime } : {}),
    ...(secret === undefined ? {} : namesOf(dataset)),
  };
  const drawn = secret === undefined ? undefined : await drawTriggers(mark, base, secret);
  const set = drawn?.set ?? (await mark.make({ ...base, random: randomStream(seed, "mark", mark.id) }));
  const before = trained ? { accuracyBefore: await accuracy(model, test, run.runtime) } : {};

  const embedding = {
    model,
    train,
    triggers: set.triggers,
    random: randomStream(seed, "training"),
    ...loopOptions(run, `embed the ${mark.id} mark`),
  };
  const goesOn = goingOn(earlier, run);
  const marked = await runEpochs(model, mark.embed(embedding, options), async () => undefined, {
    ...run,
    onEpoch: goesOn.onEpoch,
  });
  if (readings !== undefined && !settling.asRead) await requireUnharmed(marked.model, test, readings, settling);
  const sha256 = modelSha256(encodeModel(marked.model));
  const key = makeKey({
    mark,
    set,
    seed,
    modelSha256: sha256,
    ...defined({ drawn }),
  });
  return {
    model: marked.model,
    key,
    ...before,
    measured: await measure(marked.model, { test, ...set }, run.runtime),
    verdict: await verdictFor(marking, { model: marked.model, key, base }, run),
    ...defined({ readings, graph }),
    epochs: goesOn.all(marked.epochs),
  };
}

/**
 * What the owner can prove by the new key: of an experiment's key, which nobody disputes, what the tests say; of a
 * drawn one what a judge would be told, with strangers' keys where the claim stands on them.
 */
async function verdictFor(
  { mark, secret }: Marking,
  { model, key, base }: { readonly model: Model; readonly key: Key; readonly base: BaseData },
  { runtime }: RunOptions,
): Promise<Verdict> {
  const asked = runtime === undefined ? {} : { runtime };
  if (secret === undefined) return verifyModel(model, key, { ...asked, madeHere: true });
  const strangers =
    key.drawn?.labelling === "fixed" ? { strangers: await strangersKeys(mark, base), regenerated: true } : {};
  return verifyModel(model, key, { ...asked, ...strangers });
}

function namesOf({ classNames }: Dataset): { readonly classNames?: readonly string[] } {
  return classNames === undefined ? {} : { classNames };
}

interface Start {
  readonly model: Model;
  /** Of training the mark in. */
  readonly options: MarkTraining;
  /** Of training without the mark before. */
  readonly epochs: readonly EpochRecord[];
  readonly trained: boolean;
}

async function startOf({ dataset, mark, start, options, seed }: Marking, run: RunOptions): Promise<Start> {
  if ("model" in start) return { model: start.model, options, epochs: [], trained: true };
  const { architecture } = start;
  const { train } = dataset;
  if (!mark.startsTrained) {
    const model = newModel(architecture, { ...train.shape, classes: train.classes }, seed, firstImages(train));
    return { model, options, epochs: [], trained: false };
  }
  const { triggersPerBatch, ...training } = options;
  // Another model than the one that the same seed gives without a mark: that is the null model which experiments try
  // keys on.
  const own = randomStream(seed, "trained start").below(2 ** 32);
  const { model, epochs } = await trainModel({ dataset, architecture, seed: own, options: training }, run);
  return { model, options: embedContinuingOptions.parse({ triggersPerBatch }), epochs, trained: true };
}

/** Epochs of a second training, counted on from those of the first. */
function goingOn(earlier: readonly EpochRecord[], run: RunOptions) {
  const done = earlier.at(-1)?.epoch;
  const shifted = (record: EpochRecord): EpochRecord[] => {
    if (done === undefined) return [record];
    return record.epoch === 0 ? [] : [{ ...record, epoch: done + record.epoch }];
  };
  return {
    onEpoch: (record: EpochRecord): void => {
      for (const each of shifted(record)) run.onEpoch?.(each);
    },
    all: (records: readonly EpochRecord[]): readonly EpochRecord[] => [...earlier, ...records.flatMap(shifted)],
  };
}
