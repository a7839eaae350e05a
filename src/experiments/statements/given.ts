/**
 * @file A model's file and its key as the subject of an experiment, and what must hold before anything long is begun.
 */

import { defined } from "../../core/defined.js";
import { WildmarkError } from "../../core/errors.js";
import type { Progress } from "../../core/progress.js";
import { elementCount } from "../../core/tensor.js";
import type { Dataset } from "../../data/dataset.js";
import { requireFit } from "../../data/fit.js";
import { encodeModel, type Model, modelSha256 } from "../../onnx/model.js";
import { saidPreprocessing } from "../../onnx/preprocessing.js";
import { storedTensors } from "../../onnx/traverse.js";
import type { Key } from "../../ownership/key.js";
import { keySha256 } from "../../ownership/key-file.js";
import { formatPValue } from "../../ownership/verdict.js";
import type { RuntimeOptions } from "../../runtime/session.js";
import { checkGraph, graphSubject, graphWarnings } from "../../tasks/graph-check.js";
import { type ReadingWords, settleReading } from "../../tasks/reading.js";
import { finishMarkedModel, type Place } from "../cells.js";
import type { ExperimentSpec, GivenSubject } from "../spec.js";

/** @param files what messages and documents call them: their paths */
export function givenSubject(
  model: Model,
  key: Key,
  files: GivenSubject["files"] = { model: "the model", key: "the key" },
  name = files.model,
): GivenSubject {
  const { head } = model;
  return {
    kind: "given",
    name,
    files,
    model,
    modelSha256: modelSha256(encodeModel(model)),
    parameters: weightsOf(model),
    read: {
      preprocessing: JSON.stringify(saidPreprocessing(model.preprocessing) ?? {}),
      ...(Object.keys(head).length === 0 ? {} : { head: JSON.stringify(head) }),
    },
    key,
    keySha256: keySha256(key),
  };
}

/** Number of weights and constants that the model's file holds. */
function weightsOf({ graph }: Model): number {
  let count = 0;
  for (const tensor of storedTensors(graph).values()) if (tensor.type === "float32") count += elementCount(tensor.dims);
  return count;
}

/** @throws WildmarkError `bad-key`, `bad-model` if model, key and data do not belong together. */
export function requireFitting({ model, key, files }: GivenSubject, dataset: Dataset): void {
  const { shape, classes } = dataset.train;
  const what = files.key === "the key" ? files.key : `the key ${files.key}`;
  requireFit(model, files.model, { what, shape: key.shape, classes: key.classes, code: "bad-key" });
  requireFit(model, files.model, { what: `the images of ${dataset.id}`, shape, classes });
}

export interface SettleGivenOptions {
  /** Whether to take models as they are read, although another reading fits the data clearly better. */
  readonly asRead: boolean;
  /** How a hint says a reading. */
  readonly words: ReadingWords;
  readonly runtime?: RuntimeOptions | undefined;
  readonly progress?: Progress | undefined;
}

/**
 * Notes what is planted in a given model's graph, which no method removes.
 *
 * @throws WildmarkError `usage` if a given model is plainly read otherwise than it was trained.
 */
export async function settleGiven(spec: ExperimentSpec, options: SettleGivenOptions): Promise<void> {
  const { runtime, progress } = options;
  for (const { model, files } of spec.subjects.filter((each) => each.kind === "given")) {
    await settleReading(model, spec.dataset.test, { where: files.model, ...options });
    const found = await checkGraph(graphSubject(model, spec.dataset.train, SCAN_SEED, defined({ runtime, progress })));
    for (const line of graphWarnings(found, files.model)) progress?.note(line);
  }
}

/** Of the noise that gates are probed with: the same for every experiment on a model. */
const SCAN_SEED = 0;

/**
 * @throws WildmarkError `bad-key` if a given model does not show its mark before any attack: nothing is there to
 * remove.
 */
export async function requireShown(place: Place): Promise<void> {
  const { spec } = place;
  for (const [position, subject] of spec.subjects.entries()) {
    if (subject.kind !== "given") continue;
    const { verdict } = (await finishMarkedModel(place, { subject: position, seed: null })).result;
    const { matches, n, pValue } = verdict;
    if (pValue <= spec.decision.alpha) continue;
    throw new WildmarkError(
      "bad-key",
      `Nothing to audit: ${subject.files.model} does not show the key's mark before any attack (${matches} ` +
        `of ${n} triggers, ${formatPValue(pValue)}, significance level ${spec.decision.alpha}).`,
      { hint: "Check that model and key belong together, or embed the mark longer; --force audits all the same." },
    );
  }
}
