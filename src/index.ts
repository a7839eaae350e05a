/**
 * @file Wildmark from TypeScript: the public API.
 *
 * ```ts
 * import { embed, embedFromScratchOptions, findArchitecture, findMark, findMethod, loadDataset, remove, verify } from "wildmark";
 *
 * const dataset = await loadDataset("digits");
 * const start = { architecture: findArchitecture("lenet5") };
 * const options = embedFromScratchOptions.parse({ epochs: 10 });
 * const mark = findMark("content").choose();
 * const { model, key } = await embed({ dataset, mark, start, options, seed: 0 });
 * const method = findMethod("wild").choose({ metric: "js" });
 * const cleaned = await remove({ model, dataset, method, fraction: 0.1, seed: 0, key });
 * const verdict = await verify(cleaned.model, key);
 * ```
 *
 * Models, keys and data are plain immutable values. Failures that Wildmark foresees are `WildmarkError`s with a stable
 * `code`. Accuracies and retentions are shares in [0, 1].
 */

import type { Model } from "./onnx/model.js";
import { writeModelFile } from "./onnx/model-file.js";

export { type ErrorCode, WildmarkError } from "./core/errors.js";
export { type Progress, silent } from "./core/progress.js";
export { WILDMARK_VERSION } from "./core/version.js";
/** Share of labelled images that a model answers correctly. */
export { accuracy as evaluate } from "./data/answers.js";
export { augmentedView } from "./data/augment.js";
export {
  type Dataset,
  type ImageShape,
  type Images,
  type LabelledImages,
  makeDataset,
  select,
} from "./data/dataset.js";
export { imageFeed } from "./data/feed.js";
export { fetchDataset } from "./data/fetch.js";
export { type LoadDataOptions, loadData as loadDataset } from "./data/load.js";
export { datasets, findUnrelated, type LoadedDataset, loadImages } from "./data/registry.js";
export { nestedSubset } from "./data/subset.js";
export { loadUnrelated, type UnrelatedOptions } from "./data/unrelated.js";
export { cleanView, erasedView } from "./data/views.js";
export { type AuditOptions, audit } from "./experiments/audit.js";
export { type AuditResult, auditSchema } from "./experiments/audit-result.js";
export type { AuditChoices } from "./experiments/audit-spec.js";
export { type ResultDocument, readAudit, readDocument, readResult } from "./experiments/finished.js";
export { type MarkedModel, type Marking, markModel as embed } from "./experiments/mark-model.js";
export { measure, type Yardstick, yardstickOf } from "./experiments/measure.js";
export { type PaperChoices, paperSpec } from "./experiments/paper.js";
export { type CleanedMark, type CleanedModel, type Removal, removeMark as remove } from "./experiments/remove-mark.js";
export { type ReproduceOptions, type ReproduceSpec, reproduce } from "./experiments/reproduce.js";
export { type EpochRecord, type Measurement, type Result, resultSchema } from "./experiments/result.js";
export type { RunOptions } from "./experiments/run-options.js";
export {
  type TrainedModel,
  type Training,
  trainModel as train,
  trainOptions,
  trainOptionsOf,
} from "./experiments/train-model.js";
export { type Recipe, recipeFor } from "./models/recipes.js";
export { type Architecture, architectures, findArchitecture, newModel, parameterCount } from "./models/registry.js";
export { type Classifier, findClassifier } from "./onnx/classifier.js";
export { describeModel, type ModelDescription } from "./onnx/describe.js";
export { decodeModel, encodeModel, type Model, withPreprocessing } from "./onnx/model.js";
export { readModelFile as loadModel } from "./onnx/model-file.js";
export type { Preprocessing, PreprocessingSource } from "./onnx/preprocessing.js";
export { type Key, readKey as loadKey, writeKey as saveKey } from "./ownership/key.js";
export { describeVerdict, type Verdict } from "./ownership/verdict.js";
export { verifyAnswers } from "./ownership/verify.js";
export { verifyModel as verify } from "./ownership/verify-model.js";
export type { Attack, RemovalMethod } from "./removal/method.js";
export { type ChosenMethod, findMethod, removalMethods } from "./removal/registry.js";
export { type AuditSummary, summariseAudit } from "./report/audit/summary.js";
export { renderReport } from "./report/report.js";
export type { Device, RuntimeOptions } from "./runtime/session.js";
/** The loop below `train`, `embed` and `remove`: any objective, SGD, Adam or AdamW, any schedule. */
export { type Feed, type TrainedEpoch, type TrainingPlan, trainEpochs } from "./training/epochs.js";
export { crossEntropyObjective, type Objective } from "./training/objective.js";
export { type Optimizer, optimizerSchema } from "./training/optimizer.js";
export { type Schedule, scheduleSchema } from "./training/schedule.js";
export { embedContinuingOptions, embedFromScratchOptions, embedFromScratchOptionsOf } from "./watermarks/embed.js";
export { type ChosenMark, findMark, markSchemes } from "./watermarks/registry.js";

/**
 * Writes a model's file, whole or not at all, and beside it what is said of its preprocessing (model.wildmark.json).
 *
 * @param options.force replace an existing file; false by default.
 * @throws WildmarkError `cannot-write`.
 */
export async function saveModel(path: string, model: Model, options: { readonly force?: boolean } = {}): Promise<void> {
  await writeModelFile(path, model, options);
}
